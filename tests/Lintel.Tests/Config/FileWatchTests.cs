using Lintel.Config.Reading;
using Lintel.Runtime;

namespace Lintel.Tests.Config;

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
        var taken = Taken(file);
        using var watch = new FileWatch(
            () => taken,
            () =>
            {
                taken = Taken(file);
                read.Add(File.ReadAllText(file));
                if (read.Count == 1)
                    File.WriteAllText(file, "3"); // after it was read
                else if (read[^1] == "3")
                    last.TrySetResult();
            },
            TimeProvider.System
        );
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
        var taken = Taken(file);
        using var watch = new FileWatch(() => taken, () => told.TrySetResult(), TimeProvider.System);
        using var storm = new CancellationTokenSource();
        var writing = Task.Run(
            async () =>
            {
                while (!storm.IsCancellationRequested)
                {
                    await File.AppendAllTextAsync(Path.Combine(_folder, "access.log"), "line", CancellationToken.None);
                }
            },
            CancellationToken.None
        );
        await File.WriteAllTextAsync(file, "2", TestContext.Current.CancellationToken);
        await told.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        await storm.CancelAsync();
        await writing;
    }

    [Fact]
    public async Task Content_ThatDiffersFromWhatWasTaken_IsToldWithoutAnyWrite()
    {
        var file = Path.Combine(_folder, "a.yaml");
        await File.WriteAllTextAsync(file, "1", TestContext.Current.CancellationToken);
        var taken = Taken(file);
        await File.WriteAllTextAsync(file, "2", TestContext.Current.CancellationToken); // while the gateway starts
        var told = new TaskCompletionSource();
        using var watch = new FileWatch(() => taken, () => told.TrySetResult(), TimeProvider.System);
        await told.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Content_ThatNobodyCouldRead_IsToldOnce()
    {
        var file = Path.Combine(_folder, "a.yaml");
        await File.WriteAllTextAsync(file, "1", TestContext.Current.CancellationToken);
        var taken = Taken(file);
        await File.WriteAllTextAsync(file, "2", TestContext.Current.CancellationToken);
        var told = new List<string>();
        var third = new TaskCompletionSource();
        using var watch = new FileWatch(
            () => taken,
            () =>
            {
                told.Add(File.ReadAllText(file)); // what was taken stays as it was
                if (told.Count == 1)
                    _ = File.WriteAllTextAsync(file, "3", CancellationToken.None);
                else
                    third.TrySetResult();
            },
            TimeProvider.System
        );
        await third.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.Equal(["2", "3"], told);
    }

    [Theory]
    [InlineData("a.yaml")]
    [InlineData("routes/b.yaml")]
    [InlineData("routes/new.yaml")]
    [InlineData("secret")]
    [InlineData("ca.pem")]
    public async Task Change_BetweenReadingAndWatching_IsTold(string changed)
    {
        Directory.CreateDirectory(Path.Combine(_folder, "routes"));
        await WriteAsync(
            "a.yaml",
            "include: [routes/*.yaml]\nname: \"${file:secret}\"\nservices: { s: { instances: [\"https://127.0.0.1:1\"], tls: { "
                + "authorities: ca.pem } } }"
        );
        await WriteAsync("routes/b.yaml", "routes: {}");
        await WriteAsync("secret", "edge");
        await WriteAsync("ca.pem", "");
        var source = new GatewaySource.Files([Path.Combine(_folder, "a.yaml")], GatewayReader.TestEnvironment, TimeProvider.System);
        var reading = source.Read();
        Assert.True(reading.Report.IsValid);
        source.Take(reading);
        await WriteAsync(changed, "other: {}");
        source.Read(); // somebody who only looks takes nothing
        var told = new TaskCompletionSource();
        using var watch = source.Watch(() => told.TrySetResult());
        await told.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task ConfigMap_ThatIsSwapped_IsToldAndReadWhole()
    {
        ConfigMap.Write(
            _folder,
            1,
            ("gateway.yaml", "include: [\"**/routes-*.yaml\"]"),
            ("routes-a.yaml", "routes: { a: { match: /a, respond: {} } }")
        );
        var source = new GatewaySource.Files([Path.Combine(_folder, "gateway.yaml")], GatewayReader.TestEnvironment, TimeProvider.System);
        var reading = source.Read();
        Assert.Empty(reading.Report.Problems);
        source.Take(reading);
        var told = new TaskCompletionSource<SourceReading>();
        using var watch = source.Watch(() => told.TrySetResult(source.Read()));
        ConfigMap.Write(
            _folder,
            2,
            ("gateway.yaml", "include: [\"**/routes-*.yaml\"]"),
            ("routes-b.yaml", "routes: { b: { match: /b, respond: {} } }")
        );
        var next = await told.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.Empty(next.Report.Problems);
        Assert.Equal(["b"], next.Config!.Routes.Keys);
    }

    [Fact]
    public void Fingerprint_OfWhatWasRead_IsThatOfTheDisk()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "routes"));
        var file = Path.Combine(_folder, "a.yaml");
        File.WriteAllText(file, "\uFEFFinclude: [routes/*.yaml, missing.yaml, none/*.yaml]\nname: \"${file:secret}${file:none}\"");
        File.WriteAllBytes(Path.Combine(_folder, "routes", "b.yaml"), [0x61, 0xff]);
        File.WriteAllText(Path.Combine(_folder, "secret"), "edge\n");
        var watched = new GatewaySource.Files(
            [file, Path.Combine(_folder, "gone.yaml")],
            GatewayReader.TestEnvironment,
            TimeProvider.System
        )
            .Read()
            .Watched;
        Assert.Equal(6, watched.Files.Count);
        Assert.Equal(2, watched.Folders.Count);
        Assert.NotNull(watched.Taken);
        // else a reload would follow the other for ever
        Assert.Equal(ContentFingerprint.OfAll(watched.Files, watched.Folders), watched.Taken);
    }

    private static WatchedFiles Taken(string file) => new([file], [], ContentFingerprint.OfAll([file], []));

    private Task WriteAsync(string name, string text) =>
        File.WriteAllTextAsync(Path.Combine(_folder, name), text, TestContext.Current.CancellationToken);
}
