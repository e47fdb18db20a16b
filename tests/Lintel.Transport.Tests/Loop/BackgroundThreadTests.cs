using System.Globalization;
using Lintel.Transport.Loop;

namespace Lintel.Transport.Tests.Loop;

public sealed class BackgroundThreadTests
{
    [Fact]
    public async Task Work_RunsOnAThreadThatLeavesTheProcessorToOthers()
    {
        var (nice, isPool) = await BackgroundThread.RunAsync("test", () => (NiceOfThisThread(), Thread.CurrentThread.IsThreadPoolThread)).WaitAsync(Wire.Patience);
        Assert.False(isPool);
        if (!OperatingSystem.IsLinux())
            return;
        Assert.Equal(10, nice);
        Assert.Equal(0, await Task.Run(NiceOfThisThread)); // Linux keeps it by thread
    }

    [Fact]
    public async Task Failure_OfTheWork_IsTheTasks()
    {
        var failure = await Assert.ThrowsAsync<InvalidDataException>(() => BackgroundThread.RunAsync<int>("test", () => throw new InvalidDataException("wrong")).WaitAsync(Wire.Patience));
        Assert.Equal("wrong", failure.Message);
    }

    /// <summary>proc(5): the 19th field; the second one, the name, is in brackets and may hold anything.</summary>
    private static int NiceOfThisThread()
    {
        if (!OperatingSystem.IsLinux())
            return 0;
        var stat = File.ReadAllText("/proc/thread-self/stat");
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[16], CultureInfo.InvariantCulture);
    }
}
