using System.Collections.Concurrent;
using System.Net.Sockets;
using Lintel.Control.Status;
using Lintel.Errors;
using Lintel.Observability.Logs;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Observability.Logs;

public sealed class ErrorLogTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(AccessLines.Noon);
    private readonly Lines _lines = new();
    private readonly ErrorLog _log;

    public ErrorLogTests() => _log = new ErrorLog(_time, _lines);

    public void Dispose() => _log.Dispose();

    [Fact]
    public void Error_ForTheFirstTime_IsToldAtOnce()
    {
        Refused("a");
        Assert.Equal(
            $"Warning: connection-refused [{KnownFingerprint}]: route r, service s, instance a, trace t1: nobody there",
            Assert.Single(_lines.All)
        );
    }

    [Fact]
    public void Error_AgainWithinTenSeconds_IsCountedAndToldLater()
    {
        for (var i = 0; i < 50; i++)
            Refused("a", $"t{i}");
        Assert.Single(_lines.All);

        _time.Advance(ErrorLog.Window);
        Assert.Equal(2, _lines.All.Count);
        Assert.EndsWith("trace t49: nobody there (49 times since the last line)", _lines.All.Last(), StringComparison.Ordinal);

        _time.Advance(ErrorLog.Window * 5);
        Assert.Equal(2, _lines.All.Count); // nothing came, nothing is told
        Refused("a", "t50");
        Assert.EndsWith("trace t50: nobody there", _lines.All.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public void Storm_OfAMinute_HasALineEveryTenSecondsAndLosesNoError()
    {
        for (var i = 0; i < 600; i++)
        {
            Refused("a");
            _time.Advance(TimeSpan.FromMilliseconds(100));
        }

        _log.Flush();
        Assert.InRange(_lines.All.Count, 6, 8);
        Assert.Equal(600, Reported());
    }

    [Fact]
    public void Errors_OfDifferentKinds_DoNotHideEachOther()
    {
        Refused("a");
        Refused("b");
        _log.Record(new GatewayError(GatewayErrorKind.ConnectionRefused, "nobody there"), "r", "s", "a", "t"); // no exception behind it
        _log.Record(new GatewayError(GatewayErrorKind.ConnectionTimeout), "r", "s", "a", "t");
        _log.Record(new GatewayError(GatewayErrorKind.ConnectionRefused, null, new SocketException()), "other", "s", "a", "t");
        Assert.Equal(5, _lines.All.Count);
        Assert.Equal(5, _log.Recent(ErrorStatus.Of).Select(e => e.Fingerprint).Distinct().Count());
    }

    [Fact]
    public void ClientsMistakes_AreCountedAndNotTold()
    {
        _lines.Least = LogLevel.Information;
        for (var i = 0; i < 7; i++)
            _log.Record(new GatewayError(GatewayErrorKind.RouteNotFound), null, null, null, $"t{i}");
        _time.Advance(ErrorLog.Window);
        _log.Flush();
        Assert.Empty(_lines.All);
        var status = Assert.Single(_log.Recent(ErrorStatus.Of));
        Assert.Equal(("route-not-found", 7L, "t6"), (status.Error, status.Count, status.LastTraceId));
    }

    [Fact]
    public void Defect_OfTheGateway_ShowsItsStack()
    {
        _log.Record(new GatewayError(GatewayErrorKind.Internal, Cause: new InvalidOperationException("broken")), "r", null, null, "t");
        Assert.Contains("Error: internal", _lines.All.Single(), StringComparison.Ordinal);
        Assert.NotNull(_lines.LastException);
        Refused("a");
        Assert.Null(_lines.LastException);
    }

    [Fact]
    public void Detail_WithLineBreaks_StaysInItsLine()
    {
        _log.Record(
            new GatewayError(
                GatewayErrorKind.BadRequestBody,
                Cause: new IOException("a\r\n2026-11-23 forged\u001b[2J" + new string('x', 5000))
            ),
            null,
            null,
            null,
            "t"
        );
        Assert.DoesNotContain(_lines.All.Single(), char.IsControl);
        Assert.True(_lines.All.Single().Length < 1000);
        Assert.DoesNotContain(_log.Recent(ErrorStatus.Of).Single().LastDetail!, char.IsControl);
    }

    [Fact]
    public void Fingerprint_OfAFailure_IsTheSameEverywhereAndAlways()
    {
        Refused("a");
        using var other = new ErrorLog(TimeProvider.System, new Lines());
        other.Record(new GatewayError(GatewayErrorKind.ConnectionRefused, "another sentence", new SocketException(1)), "r", "s", "a", "t9");
        Assert.Equal(_log.Recent(ErrorStatus.Of).Single().Fingerprint, other.Recent(ErrorStatus.Of).Single().Fingerprint);
        Assert.Equal(KnownFingerprint, _log.Recent(ErrorStatus.Of).Single().Fingerprint);
    }

    [Fact]
    public void Recent_TellsFirstAndLastAndHowOften()
    {
        Refused("a", "t1");
        _time.Advance(TimeSpan.FromMinutes(5));
        Refused("a", "t2");
        Refused("b", "t3");
        Assert.Equal(["b", "a"], _log.Recent(ErrorStatus.Of).OrderByDescending(e => e.LastTraceId).Select(e => e.Instance));
        var status = _log.Recent(ErrorStatus.Of).Single(e => e.Instance == "a");
        Assert.Equal(
            new ErrorStatus(
                KnownFingerprint,
                "connection-refused",
                "r",
                "s",
                "a",
                "System.Net.Sockets.SocketException",
                AccessLines.Noon,
                AccessLines.Noon.AddMinutes(5),
                2,
                "t2",
                "nobody there"
            ),
            status
        );
    }

    [Fact]
    public void Kinds_BeyondTheBound_PushOutTheOneNotSeenForLongest()
    {
        Refused("first");
        for (var i = 0; i < ErrorLog.MaxGroups - 1; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            Refused($"i{i}");
        }

        _time.Advance(TimeSpan.FromSeconds(1));
        Refused("first"); // seen again: i0 is the oldest now
        _time.Advance(TimeSpan.FromSeconds(1));
        Refused("new");
        Assert.Equal(ErrorLog.MaxGroups, _log.Recent(ErrorStatus.Of).Count);
        Assert.Equal("new", _log.Recent(ErrorStatus.Of)[0].Instance);
        Assert.Contains(_log.Recent(ErrorStatus.Of), e => e.Instance == "first");
        Assert.DoesNotContain(_log.Recent(ErrorStatus.Of), e => e.Instance == "i0");
    }

    [Fact]
    public void Storm_OfMoreKindsThanAreKept_DoesNotFillTheDiskAndLosesNoError()
    {
        const int Kinds = ErrorLog.MaxGroups * 2;
        for (var round = 0; round < 10; round++)
        {
            for (var i = 0; i < Kinds; i++)
                Refused($"i{i}");
        }

        Assert.Equal(ErrorLog.MaxLines, _lines.All.Count);
        _time.Advance(ErrorLog.Window);
        Assert.InRange(_lines.All.Count, ErrorLog.MaxLines, (ErrorLog.MaxLines * 2) + 1);
        _log.Flush();
        Assert.Equal(10 * Kinds, Reported());
    }

    [Fact]
    public void Errors_FromManyThreads_AreAllCounted()
    {
        Parallel.For(0, 20_000, i => Refused($"i{i % 5}"));
        _log.Flush();
        Assert.Equal(20_000, _log.Recent(ErrorStatus.Of).Sum(e => e.Count));
        Assert.Equal(20_000, Reported());
    }

    /// <summary>Computed once: another version must not give another, or alerts on it fall silent.</summary>
    private const string KnownFingerprint = "11c8ed4c4bea";

    private void Refused(string instance, string trace = "t1") =>
        _log.Record(
            new GatewayError(GatewayErrorKind.ConnectionRefused, "nobody there", new HttpRequestException("outer", new SocketException())),
            "r",
            "s",
            instance,
            trace
        );

    /// <summary>The number of errors that the lines report in all.</summary>
    private long Reported() =>
        _lines.All.Sum(l =>
            System.Text.RegularExpressions.Regex.Match(l, @"\((\d+) times since") is { Success: true } times
                ? long.Parse(times.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture)
            : System.Text.RegularExpressions.Regex.Match(l, @"^Warning: (\d+) more errors") is { Success: true } more
                ? long.Parse(more.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture)
            : 1
        );

    private sealed class Lines : ILogger
    {
        public ConcurrentQueue<string> All { get; } = new();

        public LogLevel Least { get; set; } = LogLevel.Debug;

        public Exception? LastException { get; private set; }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= Least;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            LastException = exception;
            All.Enqueue($"{logLevel}: {formatter(state, exception)}");
        }
    }
}
