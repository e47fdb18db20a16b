using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Lintel.Errors;
using Microsoft.Extensions.Logging;

namespace Lintel.Observability.Logs;

/// <summary>
/// Accounts for every error that the gateway makes. A kind of failure is told at once, and then every ten seconds at most: a service that
/// is down says so once, not with every request.
/// </summary>
/// <remarks>All state is guarded by one lock, which errors alone take, for a few hundred nanoseconds.</remarks>
internal sealed partial class ErrorLog : IDisposable
{
    /// <summary>
    /// Kinds of failure that are kept. What makes one is the configuration, never the client; beyond this the one that was not seen for
    /// longest leaves.
    /// </summary>
    public const int MaxGroups = 512;

    /// <summary>
    /// Lines of all kinds together in one <see cref="Window"/>: also a thousand instances that fail at once must not fill a disk.
    /// </summary>
    public const int MaxLines = 100;

    private const int MaxDetail = 500;

    /// <summary>One line a kind in this time.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly Dictionary<ErrorKey, Group> _groups = [];
    private readonly ITimer _timer;
    private long _windowStarted;
    private int _lines;
    private long _forgotten;
    private bool _isTimerSet;

    public ErrorLog(TimeProvider time, ILogger logger)
    {
        _time = time;
        _logger = logger;
        _windowStarted = time.GetTimestamp();
        _timer = time.CreateTimer(
            static log => ((ErrorLog)log!).LogUnreported(isLast: false),
            this,
            Timeout.InfiniteTimeSpan,
            Timeout.InfiniteTimeSpan
        );
    }

    /// <summary>The kinds of failure that are kept, the last one first.</summary>
    public IReadOnlyList<ErrorStatus> Recent
    {
        get
        {
            lock (_lock)
                return [.. _groups.Values.OrderByDescending(g => g.LastSeen).ThenByDescending(g => g.Count).Select(g => g.ToStatus())];
        }
    }

    /// <summary>Counts an error and tells of it, if it is its turn.</summary>
    public void Record(GatewayError error, string? route, string? service, string? instance, string traceId)
    {
        var cause = error.Cause?.GetBaseException();
        var key = new ErrorKey(error.Kind, route, service, instance, cause?.GetType());
        var now = _time.GetUtcNow();
        Line? line = null;
        lock (_lock)
        {
            if (!_groups.TryGetValue(key, out var group))
            {
                MakeRoom_NeedsLock();
                _groups.Add(key, group = new Group(key, error.Rule.Slug, now));
            }

            group.Count++;
            group.LastSeen = now;
            group.LastTraceId = traceId;
            group.LastDetail = error.LogDetail ?? error.Detail ?? cause?.Message;
            if (_logger.IsEnabled(error.Rule.Level))
            {
                group.Unreported++;
                if (IsTurn_NeedsLock(group))
                    line = group.TakeLine();
                else
                    SetTimer_NeedsLock();
            }
        }

        line?.Write(_logger, LoggedCause(error));
    }

    /// <summary>
    /// Accounts for an attempt that failed where another instance is tried: the request may succeed, the instance has failed all the same.
    /// </summary>
    public void Attempted(GatewayError error, string? route, string? service, string? instance, string traceId) =>
        Record(
            error with
            {
                Detail = (error.Detail ?? error.Cause?.GetBaseException().Message ?? error.Rule.Title) + " (another instance is tried)",
            },
            route,
            service,
            instance,
            traceId
        );

    /// <summary>Tells of what was kept back: nothing may come after.</summary>
    public void Flush() => LogUnreported(isLast: true);

    public void Dispose()
    {
        _timer.Dispose();
        Flush();
    }

    /// <summary>A defect needs its stack; a service that is down needs a sentence, not forty lines.</summary>
    private static Exception? LoggedCause(GatewayError error) => error.Kind == GatewayErrorKind.Internal ? error.Cause : null;

    /// <summary>What clients sent may be part of an exception's message: it must not make lines of its own.</summary>
    private static string OneLine(string? detail)
    {
        if (detail is null)
            return "";
        if (detail.Length > MaxDetail)
            detail = detail[..MaxDetail] + "…";
        return detail.Any(char.IsControl) ? string.Concat(detail.Select(c => char.IsControl(c) ? ' ' : c)) : detail;
    }

    private bool IsTurn_NeedsLock(Group group)
    {
        if (group.LastLogged is { } last && _time.GetElapsedTime(last) < Window)
            return false;
        if (_time.GetElapsedTime(_windowStarted) >= Window)
        {
            _windowStarted = _time.GetTimestamp();
            _lines = 0;
        }

        if (_lines == MaxLines)
            return false;
        _lines++;
        group.LastLogged = _time.GetTimestamp();
        return true;
    }

    private void MakeRoom_NeedsLock()
    {
        if (_groups.Count < MaxGroups)
            return;
        var oldest = _groups.Values.MinBy(g => g.LastSeen)!;
        _groups.Remove(oldest.Key);
        _forgotten += oldest.Unreported;
    }

    private void SetTimer_NeedsLock()
    {
        if (_isTimerSet)
            return;
        _isTimerSet = true;
        _timer.Change(Window, Timeout.InfiniteTimeSpan);
    }

    /// <summary>A storm that has passed leaves the count of its last ten seconds: every error is told of in the end.</summary>
    private void LogUnreported(bool isLast)
    {
        List<Line> lines = [];
        long forgotten;
        lock (_lock)
        {
            _isTimerSet = false;
            foreach (var group in _groups.Values)
            {
                if (group.Unreported == 0)
                    continue;
                if (isLast || IsTurn_NeedsLock(group))
                    lines.Add(group.TakeLine());
                else
                    SetTimer_NeedsLock();
            }

            forgotten = _forgotten;
            _forgotten = 0;
        }

        foreach (var line in lines)
            line.Write(_logger, null);
        if (forgotten > 0)
            Forgotten(_logger, forgotten);
    }

    [LoggerMessage(
        EventId = 1000,
        Message = "{Error} [{Fingerprint}]: route {Route}, service {Service}, instance {Instance}, trace {TraceId}: {Detail}{Count}"
    )]
    private static partial void Failed(
        ILogger logger,
        LogLevel level,
        string error,
        string fingerprint,
        string route,
        string service,
        string instance,
        string traceId,
        string detail,
        Repetition count,
        Exception? cause
    );

    [LoggerMessage(
        EventId = 1001,
        Level = LogLevel.Warning,
        Message = "{Count} more errors, which do not fit into the groups that are kept"
    )]
    private static partial void Forgotten(ILogger logger, long count);

    /// <summary>A line that is to be written, taken under the lock and written outside of it.</summary>
    private sealed record Line(ErrorKey Key, string Slug, string Fingerprint, string TraceId, string? Detail, long Count)
    {
        public void Write(ILogger logger, Exception? cause) =>
            Failed(
                logger,
                ErrorTable.Get(Key.Kind).Level,
                Slug,
                Fingerprint,
                Key.Route ?? "-",
                Key.Service ?? "-",
                Key.Instance ?? "-",
                TraceId,
                OneLine(Detail),
                new Repetition(Count),
                cause
            );
    }

    /// <summary>What makes two failures the same.</summary>
    private readonly record struct ErrorKey(GatewayErrorKind Kind, string? Route, string? Service, string? Instance, Type? Exception);

    private sealed class Group(ErrorKey key, string slug, DateTimeOffset now)
    {
        public ErrorKey Key => key;

        public string Slug => slug;

        public string Fingerprint { get; } = FingerprintOf(key, slug);

        public DateTimeOffset FirstSeen { get; } = now;

        public DateTimeOffset LastSeen { get; set; } = now;

        public long Count { get; set; }

        /// <summary>How often it came since its last line.</summary>
        public long Unreported { get; set; }

        public long? LastLogged { get; set; }

        public string LastTraceId { get; set; } = "";

        public string? LastDetail { get; set; }

        public Line TakeLine()
        {
            var line = new Line(key, slug, Fingerprint, LastTraceId, LastDetail, Unreported);
            Unreported = 0;
            return line;
        }

        public ErrorStatus ToStatus() =>
            new(
                Fingerprint,
                slug,
                key.Route,
                key.Service,
                key.Instance,
                key.Exception?.FullName,
                FirstSeen,
                LastSeen,
                Count,
                LastTraceId,
                LastDetail is null ? null : OneLine(LastDetail)
            );

        /// <summary>The same on every node and after every start: 48 bits of the parts' hash.</summary>
        private static string FingerprintOf(ErrorKey key, string slug)
        {
            var text = string.Join('\n', slug, key.Route, key.Service, key.Instance, key.Exception?.FullName);
            return (XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(text)) >> 16).ToString("x12", CultureInfo.InvariantCulture);
        }
    }
}

/// <summary>How often an error came since its last line: in text only where that is more than once, for programs always.</summary>
internal readonly record struct Repetition(long Count)
{
    public override string ToString() => Count == 1 ? "" : $" ({Count} times since the last line)";
}
