using System.Globalization;

namespace Lintel.Listeners;

/// <summary>File descriptors reserved for uses other than client connections: connections to services, files, the admin address.</summary>
/// <remarks>Unix assigns the lowest free number (POSIX open): a number is a lower bound of the number of descriptors in use.</remarks>
internal sealed class DescriptorReserve
{
    private readonly long _first = long.MaxValue;

    private DescriptorReserve(long? limit, int share)
    {
        Limit = limit;
        if (limit is { } descriptors && share > 0)
            _first = descriptors - (descriptors / share);
    }

    /// <summary>The descriptor limit of the process; <see langword="null"/> if it is unknown.</summary>
    public long? Limit { get; }

    /// <summary>An eighth of what the process may have.</summary>
    public static DescriptorReserve OfThisProcess() => new(ReadLimit(), 8);

    /// <summary>No reserve: for a server that uses the reserve.</summary>
    public static DescriptorReserve None() => new(ReadLimit(), 0);

    /// <summary>Whether this descriptor is one of the reserve.</summary>
    public bool Holds(nint descriptor) => descriptor >= _first;

    /// <summary>Whether the next descriptor would be one of the reserve.</summary>
    public bool IsTouched()
    {
        if (_first == long.MaxValue)
            return false;
        try
        {
            using var probe = File.OpenHandle("/dev/null");
            return Holds(probe.DangerousGetHandle());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.HResult is 23 or 24; // ENFILE, EMFILE
        }
    }

    private static long? ReadLimit()
    {
        try
        {
            // "Max open files            20000                20000                files"; the first number is the soft limit
            const string Name = "Max open files";
            var line = File.ReadLines("/proc/self/limits").FirstOrDefault(l => l.StartsWith(Name, StringComparison.Ordinal));
            var soft = line?[Name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
            return long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) ? limit : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // not Linux, or /proc is hidden
        }
    }
}
