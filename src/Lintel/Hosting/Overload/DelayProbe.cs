using Lintel.Transport.Loop;

namespace Lintel.Hosting.Overload;

/// <summary>
/// Measures how long work waits for one thread or pool: the shortest of the last few waits, so that only a queue that stands counts, as in
/// CoDel (RFC 8289 section 3).
/// </summary>
/// <remarks>
/// At most one probe is on its way; until it returns its age counts. Thread rule: <see cref="Measure"/> has one caller at a time, the probe
/// runs on the measured thread.
/// </remarks>
/// <param name="time">The clock.</param>
/// <param name="post">Posts the probe.</param>
internal sealed class DelayProbe(TimeProvider time, Action<DelayProbe> post) : ILoopWork, IThreadPoolWorkItem
{
    /// <summary>The number of waits that are looked at: half a second of them.</summary>
    public const int Kept = 5;

    private const long NotReturned = long.MinValue;

    private readonly double[] _waits = new double[Kept];
    private int _next;
    private bool _isPosted;
    private long _postedAt;
    private long _returnedAt;

    /// <summary>Takes the last wait and posts the next probe.</summary>
    /// <returns>The shortest of the last waits in milliseconds; 0 until there are enough.</returns>
    public double Measure()
    {
        var now = time.GetTimestamp();
        if (_isPosted)
        {
            var returned = Volatile.Read(ref _returnedAt);
            _waits[_next] = time.GetElapsedTime(_postedAt, returned == NotReturned ? now : returned).TotalMilliseconds;
            _next = (_next + 1) % Kept;
            _isPosted = returned == NotReturned;
        }

        if (!_isPosted)
        {
            _isPosted = true;
            _postedAt = now;
            Volatile.Write(ref _returnedAt, NotReturned);
            post(this);
        }

        return _waits.Min();
    }

    /// <summary>The probe has had its turn on a loop.</summary>
    public void Run() => Volatile.Write(ref _returnedAt, time.GetTimestamp());

    /// <summary>The probe has had its turn on the thread pool.</summary>
    public void Execute() => Run();
}
