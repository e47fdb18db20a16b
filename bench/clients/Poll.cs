using System.ComponentModel;
using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Lintel.Bench.Clients;

/// <summary>
/// Waits for sockets to be readable, or writable where something is unsent, to the microsecond: Linux's <c>ppoll</c>. .NET's own waits hand over to another thread, which would be
/// measured too.
/// </summary>
internal sealed class Poll
{
    private const short PollIn = 1;
    private const short PollOut = 4;
    private const int SetTimerSlack = 29;

    private readonly Entry[] _entries;

    public Poll(int count)
    {
        _entries = new Entry[count];
        _ = SetProcess(SetTimerSlack, 1, 0, 0, 0); // the default lets a wait end 50 µs late
    }

    public void Watch(int index, Socket socket) => _entries[index] = new Entry { Descriptor = (int)socket.Handle, Events = PollIn };

    /// <summary>Whether to wait until the socket takes more.</summary>
    public void WatchWrites(int index, bool isWatched) => _entries[index].Events = isWatched ? (short)(PollIn | PollOut) : PollIn;

    /// <param name="ticks">How long at most, in ticks of <see cref="Stopwatch"/>.</param>
    /// <returns>Whether there is something to do for any.</returns>
    public bool Wait(long ticks)
    {
        var nanoseconds = (Int128)ticks * 1_000_000_000 / Stopwatch.Frequency;
        var time = new TimeSpec { Seconds = (long)(nanoseconds / 1_000_000_000), Nanoseconds = (long)(nanoseconds % 1_000_000_000) };
        var ready = WaitFor(_entries, (nuint)_entries.Length, in time, 0);
        if (ready < 0 && Marshal.GetLastPInvokeError() is not 4 and var error) // EINTR
            throw new Win32Exception(error);
        return ready > 0;
    }

    /// <summary>Whether it has something to read, or has ended.</summary>
    public bool IsReadable(int index) => (_entries[index].Returned & ~PollOut) != 0;

    public bool IsWritable(int index) => (_entries[index].Returned & PollOut) != 0;

    [DllImport("libc", EntryPoint = "ppoll", SetLastError = true)]
    private static extern int WaitFor([In, Out] Entry[] entries, nuint count, in TimeSpec time, nint mask);

    [DllImport("libc", EntryPoint = "prctl")]
    private static extern int SetProcess(int option, nuint argument2, nuint argument3, nuint argument4, nuint argument5);

    [StructLayout(LayoutKind.Sequential)]
    private struct Entry
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
