using Lintel.Runtime;

namespace Lintel.Tests.Runtime;

public sealed class FileWatchTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lintel-watch-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Write_WhileAChangeIsBeingTaken_IsAChangeOfItsOwn()
    {
        var file = Path.Combine(_folder, "a.yaml");
        await File.WriteAllTextAsync(file, "1", TestContext.Current.CancellationToken);
        var read = new List<string>();
        var last = new TaskCompletionSource();
        using var watch = new FileWatch(
            () => ([file], []),
            () =>
            {
                read.Add(File.ReadAllText(file));
                if (read.Count == 1)
                    File.WriteAllText(file, "3"); // after it was read
                else if (read[^1] == "3")
                    last.TrySetResult();
            },
            TimeProvider.System);
        await File.WriteAllTextAsync(file, "2", TestContext.Current.CancellationToken);
        await last.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.Equal(["2", "3"], read);
    }

    [Fact]
    public async Task Storm_OfWritesBesideTheFile_DoesNotPutTheChangeOff()
    {
        var file = Path.Combine(_folder, "a.yaml");
        await File.WriteAllTextAsync(file, "1", TestContext.Current.CancellationToken);
        var told = new TaskCompletionSource();
        using var watch = new FileWatch(() => ([file], []), () => told.TrySetResult(), TimeProvider.System);
        using var storm = new CancellationTokenSource();
        var writing = Task.Run(async () =>
        {
            while (!storm.IsCancellationRequested)
            {
                await File.AppendAllTextAsync(Path.Combine(_folder, "access.log"), "line", CancellationToken.None);
            }
        }, CancellationToken.None);
        await File.WriteAllTextAsync(file, "2", TestContext.Current.CancellationToken);
        await told.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        await storm.CancelAsync();
        await writing;
    }
}
