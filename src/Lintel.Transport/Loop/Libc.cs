using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Lintel.Transport.Loop;

/// <summary>The system calls of an event loop. Only <see cref="EpollWait"/> blocks.</summary>
internal static unsafe partial class Libc
{
    // <sys/epoll.h>
    public const uint EpollIn = 0x001;
    public const uint EpollOut = 0x004;
    public const uint EpollErr = 0x008;
    public const uint EpollHup = 0x010;
    public const uint EpollRdHup = 0x2000;
    public const uint EpollEdge = 1u << 31;
    public const int EpollAdd = 1;
    private const int EpollCloseOnExec = 0x80000;

    // <sys/eventfd.h>
    private const int EventNonBlocking = 0x800;

    // <asm-generic/errno.h>
    public const int Eintr = 4;
    public const int Eagain = 11;
    public const int EPipe = 32;
    public const int EInProgress = 115;

    // <sys/socket.h>
    private const int DontWait = 0x40;
    private const int NoSignal = 0x4000;

    /// <summary>The kernel packs <c>struct epoll_event</c> on x86-64 alone (EPOLL_PACKED).</summary>
    public static readonly int EventSize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int DataOffset = EventSize - sizeof(ulong);

    // <asm/unistd.h>: sched_setattr, gettid, recvfrom and sendto
    private static readonly bool IsX64 = RuntimeInformation.ProcessArchitecture == Architecture.X64;
    private static readonly nint SetAttributesNumber = IsX64 ? 314 : 274;
    private static readonly nint ThreadIdNumber = IsX64 ? 186 : 178;
    private static readonly nint ReceiveNumber = IsX64 ? 45 : 207;
    private static readonly nint SendNumber = IsX64 ? 44 : 206;

    /// <summary>Whether the numbers above are this processor's: they are those of x86-64 and arm64.</summary>
    public static readonly bool HasNumbers = RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.Arm64;

    public static int CreateEpoll() => Check(EpollCreate1(EpollCloseOnExec));

    public static int CreateEvent() => Check(EventFd(0, EpollCloseOnExec | EventNonBlocking));

    /// <summary>Registers or removes a descriptor; <paramref name="data"/> is returned with its events.</summary>
    /// <returns>0, or the error's number.</returns>
    public static int Control(int epoll, int operation, int descriptor, uint events, ulong data)
    {
        var entry = stackalloc byte[16];
        *(uint*)entry = events;
        *(ulong*)(entry + DataOffset) = data;
        return EpollCtl(epoll, operation, descriptor, entry) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <returns>The number of events; 0 after the timeout, or if a signal interrupted the call.</returns>
    public static int Wait(int epoll, byte* events, int capacity, int milliseconds)
    {
        var count = EpollWait(epoll, events, capacity, milliseconds);
        return count >= 0 || Marshal.GetLastPInvokeError() == Eintr ? Math.Max(0, count) : Check(count);
    }

    public static (uint Events, ulong Data) ReadEvent(byte* events, int index)
    {
        var entry = events + (index * EventSize);
        return (*(uint*)entry, *(ulong*)(entry + DataOffset));
    }

    public static void Signal(int descriptor)
    {
        ulong one = 1;
        _ = Write(descriptor, &one, sizeof(ulong));
    }

    public static void TakeSignal(int descriptor)
    {
        ulong count;
        _ = Read(descriptor, &count, sizeof(ulong));
    }

    /// <returns>The number of bytes received; 0 at the end; the negated error number otherwise.</returns>
    public static int Receive(SafeHandle socket, Span<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            nint count;
            do count = Recv(socket, start, (nuint)buffer.Length, DontWait);
            while (count < 0 && Marshal.GetLastPInvokeError() == Eintr);
            return count >= 0 ? (int)count : -Marshal.GetLastPInvokeError();
        }
    }

    /// <returns>The number of bytes sent; the negated error number otherwise.</returns>
    public static int Send(SafeHandle socket, ReadOnlySpan<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            nint count;
            do count = Send(socket, start, (nuint)buffer.Length, DontWait | NoSignal);
            while (count < 0 && Marshal.GetLastPInvokeError() == Eintr);
            return count >= 0 ? (int)count : -Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>The same for a socket that cannot be closed concurrently.</summary>
    /// <remarks>
    /// The loop's own calls, four a request: without counting the handle's users, without setting the error's number to zero before, and
    /// without telling the collector of a call that takes a few microseconds and never waits (a collection that wants to begin waits for
    /// it, as for any other code of that length). And past libc's functions of that name, which are cancellation points: two atomic
    /// operations a call for who cancels threads, and .NET never does.
    /// </remarks>
    public static int Receive(int descriptor, Span<byte> buffer)
    {
        fixed (byte* start = buffer)
            return Transfer(ReceiveNumber, descriptor, start, buffer.Length, DontWait);
    }

    /// <summary>The same for a socket that cannot be closed concurrently.</summary>
    public static int Send(int descriptor, ReadOnlySpan<byte> buffer)
    {
        fixed (byte* start = buffer)
            return Transfer(SendNumber, descriptor, start, buffer.Length, DontWait | NoSignal);
    }

    private static int Transfer(nint number, int descriptor, byte* start, nint length, nint flags)
    {
        nint count;
        do
        {
            count = SystemCallAtOnce(number, descriptor, start, length, flags, 0, 0);
            if (count >= 0)
                return (int)count;
            count = -Marshal.GetLastSystemError();
        } while (count == -Eintr);
        return (int)count;
    }

    /// <returns>0 when connected, otherwise the error's number: <see cref="EInProgress"/> when it is under way.</returns>
    public static int Connect(SafeHandle socket, ReadOnlySpan<byte> address)
    {
        fixed (byte* start = address)
        {
            int result;
            do result = Connect(socket, start, (uint)address.Length);
            while (result < 0 && Marshal.GetLastPInvokeError() == Eintr);
            return result == 0 ? 0 : Marshal.GetLastPInvokeError();
        }
    }

    /// <summary>
    /// Says how the calling thread shares its processor with others. Linux keeps it by thread: setpriority(2), and sched_setattr(2) for the
    /// slice, which rules of a container may forbid.
    /// </summary>
    /// <param name="nice">0 to 19: the higher, the smaller the share.</param>
    /// <param name="slice">How long the thread may run before others have their turn, 0.1 to 100 ms; and the shorter, the sooner it runs
    /// after a wait. Kernels before 6.12 ignore it.</param>
    public static void Schedule(int nice, TimeSpan slice)
    {
        _ = SetPriority(0, 0, nice);
        if (!HasNumbers)
            return;
        var attributes = new SchedulingAttributes
        {
            Size = (uint)sizeof(SchedulingAttributes),
            Nice = nice,
            Runtime = (ulong)slice.TotalNanoseconds,
        };
        _ = SystemCall(SetAttributesNumber, 0, &attributes, 0);
    }

    /// <summary>What a system call's error says, in .NET's own numbers.</summary>
    public static SocketException Failure(int number) =>
        new(
            (int)(
                number switch
                {
                    2 or 111 => SocketError.ConnectionRefused, // ENOENT: a Unix socket that is not there
                    Eagain => SocketError.WouldBlock, // connecting to a Unix socket whose queue is full
                    12 or 105 => SocketError.NoBufferSpaceAvailable,
                    13 => SocketError.AccessDenied,
                    23 or 24 => SocketError.TooManyOpenSockets,
                    EPipe => SocketError.Shutdown,
                    99 => SocketError.AddressNotAvailable,
                    100 => SocketError.NetworkDown,
                    101 => SocketError.NetworkUnreachable,
                    103 => SocketError.ConnectionAborted,
                    104 => SocketError.ConnectionReset,
                    107 => SocketError.NotConnected,
                    110 => SocketError.TimedOut,
                    112 => SocketError.HostDown,
                    113 => SocketError.HostUnreachable,
                    _ => SocketError.SocketError,
                }
            )
        );

    /// <summary>The kernel's number of the calling thread.</summary>
    public static int ThreadId() => HasNumbers ? (int)SystemCallAtOnce(ThreadIdNumber, 0, null, 0, 0, 0, 0) : 0;

    /// <summary>How long a thread of this process has run on a processor.</summary>
    public static TimeSpan ThreadTime(int thread)
    {
        // <linux/posix-timers_types.h>: the thread's number, inverted, above CPUCLOCK_PERTHREAD_MASK and CPUCLOCK_SCHED. The kernel's
        // numbers are 31 bits long, and 0 means the calling thread.
        var time = stackalloc long[2];
        return ClockGetTime((~thread << 3) | 6, time) == 0
            ? new TimeSpan((time[0] * TimeSpan.TicksPerSecond) + (time[1] / TimeSpan.NanosecondsPerTick))
            : TimeSpan.Zero;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGetTime(int clock, long* time);

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, uint who, int priority);

    /// <summary>For sched_setattr only: glibc has a wrapper for it since 2.41.</summary>
    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SystemCall(nint number, nint thread, SchedulingAttributes* attributes, nint flags);

    [LibraryImport("libc", EntryPoint = "close")]
    public static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int EpollCreate1(int flags);

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial int EventFd(uint initial, int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    private static partial int EpollCtl(int epoll, int operation, int descriptor, byte* entry);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    private static partial int EpollWait(int epoll, byte* events, int capacity, int milliseconds);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(int descriptor, void* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(int descriptor, void* buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static partial nint Recv(SafeHandle socket, byte* buffer, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static partial nint Send(SafeHandle socket, byte* buffer, nuint length, int flags);

    [SuppressGCTransition]
    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SystemCallAtOnce(
        nint number,
        nint socket,
        byte* buffer,
        nint length,
        nint flags,
        nint address,
        nint addressLength
    );

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    private static partial int Connect(SafeHandle socket, byte* address, uint length);

    private static int Check(int result) =>
        result >= 0
            ? result
            : throw new IOException(Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()), Marshal.GetLastPInvokeError());

    /// <summary>The first version of <c>struct sched_attr</c>; the policy 0 is SCHED_OTHER.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct SchedulingAttributes
    {
        public uint Size;
        public uint Policy;
        public ulong Flags;
        public int Nice;
        public uint Priority;
        public ulong Runtime;
        public ulong Deadline;
        public ulong Period;
    }
}
