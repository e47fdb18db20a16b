using System.Text;
using System.Text.Json;
using Lintel.Cli.Logging;
using Lintel.Hosting;
using Lintel.TestKit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Lintel.FunctionalTests;

/// <summary>The error log of the program: where it goes, in which form and from which level on.</summary>
[AnyTransport]
public sealed class ErrorLogTests
{
    private const int SigHup = 1;

    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Lines_AsJson_HaveTheirPartsAsMembers()
    {
        await using var process = await LoggingGateway.StartAsync("format: json, to: error.log");
        using (var client = await process.ConnectAsync())
            Assert.Equal(502, (await client.GetAsync("/dead")).Status);
        var line = (await process.LinesAsync("error.log", l => l.Contains("connection-refused", StringComparison.Ordinal)))
            .Select(Parse)
            .First(l => l.TryGetProperty("error", out _));
        Assert.Equal("warning", line.GetProperty("level").GetString());
        Assert.Equal("Lintel.Observability.ErrorLog", line.GetProperty("category").GetString());
        Assert.Equal(1000, line.GetProperty("eventId").GetInt32());
        Assert.Equal(("connection-refused", "dead", "dead"), (Text(line, "error"), Text(line, "route"), Text(line, "service")));
        Assert.Equal("http://127.0.0.1:1", Text(line, "instance"));
        Assert.Equal(32, Text(line, "traceId").Length);
        Assert.Equal(1, line.GetProperty("count").GetInt64());
        Assert.StartsWith("connection-refused [", Text(line, "message"), StringComparison.Ordinal);
        Assert.True(DateTimeOffset.TryParse(Text(line, "time"), System.Globalization.CultureInfo.InvariantCulture, out _));
        Assert.DoesNotContain("connection-refused", process.Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_ChangedByAReload_TakeEffect()
    {
        await using var process = await LoggingGateway.StartAsync("format: text, to: error.log");
        await process.LinesAsync("error.log", l =>
            l.Contains("info: Lintel.Hosting.Gateway[1200] Configuration applied", StringComparison.Ordinal)
        );

        // Another level: the next reload's line is not written; back on stderr, and as JSON.
        Assert.Empty((await process.ReloadAsync("format: json, level: error")).Problems);
        Assert.Empty((await process.ReloadAsync("format: json, level: warn")).Problems);
        using (var client = await process.ConnectAsync())
            await client.GetAsync("/dead");
        await Until.TrueAsync(() => process.Stderr.Contains("connection-refused", StringComparison.Ordinal));
        Assert.DoesNotContain("Configuration applied", process.Stderr, StringComparison.Ordinal);
        process.Output.WriteLine("  a line of the banner");
        await Until.TrueAsync(() => process.Stderr.Contains("banner", StringComparison.Ordinal));
        Assert.All(process.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries), l => Parse(l));
        Assert.Single(await File.ReadAllLinesAsync(process.Folder["error.log"], None), l =>
            l.Contains("Configuration applied", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task Level_OfTheCommandLine_GoesBeforeTheConfiguration()
    {
        await using var process = await LoggingGateway.StartAsync("level: debug", LogLevel.Error);
        using (var client = await process.ConnectAsync())
            await client.GetAsync("/dead");
        process.Output.WriteLine("end");
        await Until.TrueAsync(() => process.Stderr.Contains("end", StringComparison.Ordinal));
        Assert.Equal("end\n", process.Stderr);
    }

    [Fact]
    public async Task File_ThatCannotBeHad_RefusesTheReload()
    {
        await using var process = await LoggingGateway.StartAsync("level: info");
        File.CreateSymbolicLink(process.Folder["loop.log"], process.Folder["loop.log"]);
        var report = await process.ReloadAsync("to: loop.log");
        Assert.Equal("observability.errorLog.to", Assert.Single(report.Problems).Path);
        await Until.TrueAsync(() => process.Stderr.Contains("Configuration refused", StringComparison.Ordinal));
    }

    [Fact]
    public async Task File_MovedAway_IsMadeAnewAtAReload()
    {
        await using var process = await LoggingGateway.StartAsync("to: error.log");
        await process.LinesAsync("error.log", l => l.Contains("applied", StringComparison.Ordinal));
        File.Move(process.Folder["error.log"], process.Folder["old.log"]);
        await process.Gateway.ReloadAsync(None);
        await process.LinesAsync("error.log", l => l.Contains("applied", StringComparison.Ordinal));
        Assert.Single(await File.ReadAllLinesAsync(process.Folder["old.log"], None));
    }

    /// <summary>Input of a client and messages of exceptions never start a new line.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Line_WithForeignText_IsOneLine(bool isJson)
    {
        var cause = new InvalidOperationException("a\r\nfail: b\u0085c");
        var line = new LogLine(
            DateTimeOffset.UnixEpoch,
            LogLevel.Error,
            "C",
            new EventId(7, "E"),
            "x\nfail: y\"}",
            cause,
            [new("Route", "r\n{"), new("Message", "m"), new("{OriginalFormat}", "f")]
        );
        var text = isJson ? line.ToJson() : line.ToText();
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain(text[..^1], char.IsControl);
        Assert.StartsWith(
            isJson
                ? "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"error\",\"category\":\"C\",\"eventId\":7,\"event\":\"E\","
                : "1970-01-01T00:00:00.000Z fail: C[7] x fail: y",
            text,
            StringComparison.Ordinal
        );
        if (!isJson)
            return;
        Assert.Equal(
            ["time", "level", "category", "eventId", "event", "message", "route", "exception"],
            Parse(text).EnumerateObject().Select(p => p.Name)
        );
    }

    [Fact]
    public async Task Program_WithALevelThatIsNone_SaysWhatThereIs()
    {
        using var folder = new ConfigFolder();
        var (code, _, errors) = await LocalProgram.RunAsync("run", folder.Write("gateway.yaml", "routes: {}"), "--log-level", "loud");
        Assert.NotEqual(0, code);
        Assert.Contains("`loud` is not one of trace, debug, information", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Program_WithLevelAndFile_WritesAndReopensIt()
    {
        await using var gateway = await LocalProgram.StartAsync(
            "observability: { accessLog: { to: none }, errorLog: { format: json, to: error.log, level: warn } }\n"
                + "routes: { r: { match: /x, respond: {} } }",
            null,
            "--log-level",
            "INFO"
        );
        var file = Path.Combine(gateway.Folder, "error.log");
        await Until.TrueAsync(() => File.ReadAllText(file).Contains("Configuration applied", StringComparison.Ordinal));
        Assert.DoesNotContain("Configuration applied", gateway.Errors, StringComparison.Ordinal);
        File.Move(file, file + ".1");
        gateway.Signal(SigHup);
        await Until.TrueAsync(() =>
            File.Exists(file) && File.ReadAllText(file).Contains("Configuration applied", StringComparison.Ordinal)
        );
    }

    private static JsonElement Parse(string line)
    {
        using var document = JsonDocument.Parse(line);
        return document.RootElement.Clone();
    }

    private static string Text(JsonElement line, string name) => line.GetProperty(name).GetString()!;

    /// <summary>A gateway whose error log is the program's, with a stream in the place of stderr.</summary>
    private sealed class LoggingGateway : IAsyncDisposable
    {
        private readonly Stream _stderr = Stream.Synchronized(new MemoryStream());
        private readonly LogLevels _levels;
        private readonly ErrorLogProvider _log;
        private readonly IHost _host;

        private LoggingGateway(string settings, LogLevel? level)
        {
            Output = new ErrorOutput(_stderr);
            _levels = new LogLevels(level);
            _log = new ErrorLogProvider(Output, _levels, TimeProvider.System);
            var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
            builder.Logging.AddProvider(_log);
            builder
                .Services.AddSingleton<IConfigureOptions<LoggerFilterOptions>>(_levels)
                .AddSingleton<IOptionsChangeTokenSource<LoggerFilterOptions>>(_levels);
            builder.Services.AddLintelServer(Write(settings));
            _host = builder.Build();
            Gateway = _host.Services.GetRequiredService<Gateway>();
            _log.Follow(Gateway);
        }

        public ConfigFolder Folder { get; } = new();

        public Gateway Gateway { get; }

        public ErrorOutput Output { get; }

        public string Stderr
        {
            get
            {
                lock (_stderr)
                {
                    _stderr.Position = 0;
                    var bytes = new byte[_stderr.Length];
                    _stderr.ReadExactly(bytes);
                    return Encoding.UTF8.GetString(bytes);
                }
            }
        }

        public static async Task<LoggingGateway> StartAsync(string settings, LogLevel? level = null)
        {
            var gateway = new LoggingGateway(settings, level);
            await gateway._host.StartAsync(None);
            return gateway;
        }

        public Task<RawClient> ConnectAsync() => RawClient.ConnectAsync(new Uri(Gateway.Addresses.Single().Address));

        public Task<Config.ConfigReport> ReloadAsync(string settings)
        {
            Write(settings);
            return Gateway.ReloadAsync(None);
        }

        public async Task<string[]> LinesAsync(string file, Func<string, bool> has)
        {
            string[] lines = [];
            await Until.TrueAsync(() => File.Exists(Folder[file]) && (lines = File.ReadAllLines(Folder[file])).Any(has));
            return lines;
        }

        public async ValueTask DisposeAsync()
        {
            await _host.StopAsync(None);
            _host.Dispose();
            _log.Dispose();
            _levels.Dispose();
            Folder.Dispose();
        }

        private string Write(string settings) =>
            Folder.Write(
                "gateway.yaml",
                $$"""
                listeners: { public: "http://127.0.0.1:0" }
                observability: { accessLog: { to: none }, errorLog: { {{settings}} } }
                services: { dead: "http://127.0.0.1:1" }
                routes: { dead: { match: /dead, forward: dead } }
                """
            );
    }
}
