using System.Globalization;
using Lintel.Transport.Loop;

namespace Lintel.Transport.Tests.Loop;

public sealed class BackgroundThreadTests
{
    [Fact]
    public async Task Work_RunsOnAThreadThatLeavesTheProcessorToOthers()
    {
        var (nice, isPool) = await BackgroundThread
            .RunAsync("test", () => (NiceOfThisThread(), Thread.CurrentThread.IsThreadPoolThread))
            .WaitAsync(Wire.Patience);
        Assert.False(isPool);
        if (!OperatingSystem.IsLinux())
            return;
        Assert.Equal(10, nice);
        Assert.Equal(0, await Task.Run(NiceOfThisThread)); // Linux keeps it by thread
    }

    [Fact]
    public async Task Failure_OfTheWork_IsTheTasks()
    {
        var failure = await Assert.ThrowsAsync<InvalidDataException>(() =>
            BackgroundThread.RunAsync<int>("test", () => throw new InvalidDataException("wrong")).WaitAsync(Wire.Patience)
        );
        Assert.Equal("wrong", failure.Message);
    }

    /// <summary>Retained objects are collected in small steps: two MiB would never trigger a collection by themselves.</summary>
    [Fact]
    public async Task Work_ThatKeepsMuch_IsCollectedEarly()
    {
        var kept = new List<byte[]>();
        var collections = await BackgroundThread.RunAsync("test", () =>
        {
            var count = 0;
            for (; count < 3; count++)
            {
                var before = GC.CollectionCount(1);
                for (var i = 0; i < 2000; i++)
                    kept.Add(new byte[1024]);
                if (!SpinWait.SpinUntil(() => GC.CollectionCount(1) > before, Wire.Patience))
                    break;
            }

            return count;
        });
        Assert.Equal(3, collections);
        Assert.Equal(6000, kept.Count);
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
