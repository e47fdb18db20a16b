using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading.Channels;

namespace Lintel.Bench.Faulty;

/// <summary>
/// A path between two TUN devices, one of which a script moves into another network namespace: each packet is lost with a probability, and
/// those from the first device to the second are late. What the kernels on both ends make of it (retransmissions, back-off) is real; tc's
/// netem would do the same, where a kernel has it.
/// </summary>
internal sealed class LossyPath(SafeHandle from, SafeHandle to, TimeSpan delay, double loss)
{
    private const int ReadWrite = 2;
    private const nuint SetInterface = 0x400454ca; // TUNSETIFF
    private const short IsTun = 0x0001;
    private const short HasNoHeader = 0x1000;
    private const int LongestPacket = 64 * 1024;

    private readonly Random _random = new(1);
    private readonly Channel<(byte[] Packet, DateTimeOffset Due)> _underWay = Channel.CreateUnbounded<(byte[], DateTimeOffset)>();

    public static async Task<int> RunAsync(string here, string there, TimeSpan delay, double loss)
    {
        using var first = Open(here);
        using var second = Open(there);
        Console.WriteLine("open");
        await Task.WhenAll(
            new LossyPath(first, second, delay, loss).PassAsync(),
            new LossyPath(second, first, TimeSpan.Zero, loss).PassAsync()
        );
        return 0;
    }

    private static Device Open(string name)
    {
        var device = new Device(OpenFile("/dev/net/tun", ReadWrite));
        if (device.IsInvalid)
            throw new Win32Exception();
        var request = new byte[40]; // struct ifreq
        Encoding.ASCII.GetBytes(name, request);
        BitConverter.TryWriteBytes(request.AsSpan(16), (short)(IsTun | HasNoHeader));
        if (Control(device, SetInterface, request) < 0)
            throw new Win32Exception();
        return device;
    }

    private Task PassAsync() => Task.WhenAll(Task.Factory.StartNew(ReadAll, TaskCreationOptions.LongRunning), DeliverAsync());

    private void ReadAll()
    {
        var buffer = new byte[LongestPacket];
        while (true)
        {
            var count = Read(from, buffer, (nuint)buffer.Length);
            if (count <= 0)
                throw new Win32Exception();
            if (_random.NextDouble() >= loss)
                _underWay.Writer.TryWrite((buffer[..(int)count], TimeProvider.System.GetUtcNow() + delay));
        }
    }

    private async Task DeliverAsync()
    {
        await foreach (var (packet, due) in _underWay.Reader.ReadAllAsync())
        {
            if (due - TimeProvider.System.GetUtcNow() is var wait && wait > TimeSpan.Zero)
                await Task.Delay(wait);
            _ = Write(to, packet, (nuint)packet.Length); // a device that is not up yet takes nothing: lost too
        }
    }

    [DllImport("libc", EntryPoint = "open", SetLastError = true, CharSet = CharSet.Ansi)]
    private static extern int OpenFile([MarshalAs(UnmanagedType.LPStr)] string path, int flags);

    [DllImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static extern int Control(SafeHandle file, nuint request, byte[] argument);

    [DllImport("libc", EntryPoint = "read", SetLastError = true)]
    private static extern nint Read(SafeHandle file, [Out] byte[] buffer, nuint count);

    [DllImport("libc", EntryPoint = "write", SetLastError = true)]
    private static extern nint Write(SafeHandle file, byte[] buffer, nuint count);

    [DllImport("libc", EntryPoint = "close")]
    private static extern int CloseFile(nint file);

    private sealed class Device : SafeHandle
    {
        public Device(int file)
            : base(-1, ownsHandle: true) => SetHandle(file);

        public override bool IsInvalid => handle < 0;

        protected override bool ReleaseHandle() => CloseFile(handle) == 0;
    }
}
