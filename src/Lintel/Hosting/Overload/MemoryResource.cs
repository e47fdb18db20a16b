using Lintel.Config;
using Lintel.Pipeline;

namespace Lintel.Hosting.Overload;

/// <summary>
/// The memory of the process. Garbage is no shortage: the use counts after a collection, which is asked for at the limit.
/// </summary>
/// <param name="percent">Returns the share of the available memory that is in use.</param>
/// <param name="time">The clock.</param>
/// <param name="collect">Collects garbage on another thread and returns memory to the system; completes when that is done.</param>
internal sealed class MemoryResource(Func<double> percent, TimeProvider time, Func<Task> collect) : IResource
{
    /// <summary>The shortest time between two collections.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The time between collections while they do not help: of a large heap in full use each may stop all threads for a second.
    /// </summary>
    public static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    /// <summary>How long a collection is waited for: on a machine without CPU time it may not come.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private Task _collection = Task.CompletedTask;
    private long? _collectedAt;
    private TimeSpan _pause = Pause;

    /// <inheritdoc/>
    public ScarceResource Kind => ScarceResource.Memory;

    /// <inheritdoc/>
    public double? Most => 100;

    /// <inheritdoc/>
    public double? LimitOf(OverloadConfig config) => config.Memory;

    /// <inheritdoc/>
    public double? Measure(double limit)
    {
        var value = Percent();
        if (value <= limit)
        {
            _pause = Pause;
            return value;
        }

        if (_collectedAt is not { } at || time.GetElapsedTime(at) >= _pause)
        {
            if (_collectedAt is not null)
                _pause = _pause * 2 < LongestPause ? _pause * 2 : LongestPause;
            _collectedAt = time.GetTimestamp();
            _collection = collect();
        }

        var isAwaited = !_collection.IsCompleted && time.GetElapsedTime(_collectedAt.Value) < Patience;
        return isAwaited ? limit : value;
    }

    /// <summary>Where not even the measurement gets memory, all of it is in use.</summary>
    private double Percent()
    {
        try
        {
            return percent();
        }
        catch (OutOfMemoryException)
        {
            return 100;
        }
    }
}
