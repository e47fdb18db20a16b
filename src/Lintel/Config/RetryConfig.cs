using System.Globalization;
using System.Text.Json.Nodes;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>When a failed attempt of a request is followed by another one.</summary>
public sealed record RetryConfig
{
    /// <summary>The maximum number of attempts of a request, including the first. Default 3, 1 to 10; 1 for no retries.</summary>
    public int Attempts { get; init; } = 3;

    /// <summary>
    /// What is followed by another attempt. Default: <c>[connect, reset, notProcessed, 502, 503, 504]</c>. Everything but <c>connect</c>
    /// and <c>notProcessed</c> only for requests that may be sent twice: idempotent methods (RFC 9110 section 9.2.2), requests with an
    /// <c>Idempotency-Key</c>, and routes with <see cref="RouteConfig.Idempotent"/>.
    /// </summary>
    public ValueList<RetryCondition> On { get; init; } =
    [
        RetryCondition.Connect,
        RetryCondition.Reset,
        RetryCondition.NotProcessed,
        RetryCondition.FromStatus(502),
        RetryCondition.FromStatus(503),
        RetryCondition.FromStatus(504),
    ];

    /// <summary>
    /// The time for one attempt, from the end of the request to the response head; what exceeds it is a <c>timeout</c>. Default: none but
    /// <c>timeouts.request</c>, which applies to all attempts together. 1 ms to 1 d. Only for requests that may be sent twice.
    /// </summary>
    public TimeSpan? PerTryTimeout { get; init; }

    /// <summary>
    /// The share of requests that may be retried, over the last ten seconds, in percent of them; at least 3 retries per second are allowed
    /// always. Attempts after a connection that could not be established do not count: they are no load for the service. Default 20
    /// (Envoy's), 0 to 100.
    /// </summary>
    public double Budget { get; init; } = 20;

    /// <summary>The wait before a retry. A <c>Retry-After</c> of the service takes precedence if it is within the request's time.</summary>
    public BackoffConfig Backoff { get; init; } = new();

    /// <summary>
    /// The maximum length of a request body that is kept so that it can be sent again. A request with a longer one is not retried once it
    /// was sent. Default 64 KiB, 0 to 16 MiB.
    /// </summary>
    public long BufferUpTo { get; init; } = 64 * 1024;

    internal static Grammar<RetryConfig> Grammar { get; } =
        new RecordGrammar<RetryConfig>(static f =>
        {
            var d = new RetryConfig();
            var retry = new RetryConfig
            {
                Attempts = f.Get("attempts", Scalars.Integer(1, 10), d.Attempts),
                On = f.Find("on", new ListGrammar<RetryCondition>(RetryCondition.Grammar, minimum: 1)) ?? d.On,
                PerTryTimeout = f.FindValue("perTryTimeout", Scalars.Duration(TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(1))),
                Budget = f.Get("budget", Scalars.Percent, d.Budget),
                Backoff = f.Get("backoff", BackoffConfig.Grammar, d.Backoff),
                BufferUpTo = f.Get("bufferUpTo", Scalars.Size(0, 16 * 1024 * 1024), d.BufferUpTo),
            };
            if (retry.PerTryTimeout is not null && retry.Attempts > 1 && !retry.On.Contains(RetryCondition.Timeout) && !f.HasFailed("on"))
                f.Report(
                    "conflict",
                    "perTryTimeout",
                    "`perTryTimeout` ends an attempt, and no other attempt follows",
                    "add `timeout` to `on`"
                );
            return retry;
        });
}

/// <summary>The wait before a retry: a random time up to a bound that grows exponentially (full jitter).</summary>
public sealed record BackoffConfig
{
    /// <summary>The bound before the first retry; (2^n − 1) times as much before the n-th. Default 25 ms (Envoy's), 0 to 1 min.</summary>
    public TimeSpan Base { get; init; } = TimeSpan.FromMilliseconds(25);

    /// <summary>The largest bound. Default 250 ms (Envoy's), 0 to 5 min.</summary>
    public TimeSpan Max { get; init; } = TimeSpan.FromMilliseconds(250);

    internal static Grammar<BackoffConfig> Grammar { get; } =
        new RecordGrammar<BackoffConfig>(static f =>
        {
            var d = new BackoffConfig();
            var backoff = new BackoffConfig
            {
                Base = f.Get("base", Scalars.Duration(TimeSpan.Zero, TimeSpan.FromMinutes(1)), d.Base),
                Max = f.Get("max", Scalars.Duration(TimeSpan.Zero, TimeSpan.FromMinutes(5)), d.Max),
            };
            if (backoff.Max < backoff.Base)
                f.Report("conflict", "max", "`max` is shorter than `base`", "set `max` to at least `base`");
            return backoff;
        });
}

/// <summary>A condition of <see cref="RetryConfig.On"/>.</summary>
public sealed record RetryCondition
{
    private static readonly string[] GrpcNames =
    [
        "ok",
        "cancelled",
        "unknown",
        "invalid-argument",
        "deadline-exceeded",
        "not-found",
        "already-exists",
        "permission-denied",
        "resource-exhausted",
        "failed-precondition",
        "aborted",
        "out-of-range",
        "unimplemented",
        "internal",
        "unavailable",
        "data-loss",
        "unauthenticated",
    ];

    private const string GrpcPrefix = "grpc-";

    private RetryCondition(string word) => Word = word;

    /// <summary>A connection could not be established: nothing was sent.</summary>
    public static RetryCondition Connect { get; } = new("connect");

    /// <summary>The connection ended after the request was sent, before the response head.</summary>
    public static RetryCondition Reset { get; } = new("reset");

    /// <summary>No response head within <see cref="RetryConfig.PerTryTimeout"/>.</summary>
    public static RetryCondition Timeout { get; } = new("timeout");

    /// <summary>The instance reports that it did not process the request: REFUSED_STREAM in HTTP/2 (RFC 9113 section 8.7).</summary>
    public static RetryCondition NotProcessed { get; } = new("notProcessed");

    /// <summary>The word in the configuration.</summary>
    public string Word { get; }

    /// <summary>The response status of the condition; <see langword="null"/> for none.</summary>
    public int? Status => char.IsAsciiDigit(Word[0]) ? int.Parse(Word, CultureInfo.InvariantCulture) : null;

    /// <summary>The gRPC status of the condition; <see langword="null"/> for none.</summary>
    public int? GrpcStatus =>
        Word.StartsWith(GrpcPrefix, StringComparison.Ordinal) ? Array.IndexOf(GrpcNames, Word[GrpcPrefix.Length..]) : null;

    internal static Grammar<RetryCondition> Grammar { get; } = new ConditionGrammar();

    private static Grammar<RetryCondition> Words { get; } =
        new ScalarGrammar<RetryCondition>(
            "a condition",
            $"^(connect|reset|timeout|notProcessed|[45][0-9][0-9]|grpc-({string.Join('|', GrpcNames[1..])}))$",
            static (string text, out RetryCondition value) =>
            {
                value = new RetryCondition(text);
                return text is "connect" or "reset" or "timeout" or "notProcessed"
                    || (text is ['4' or '5', _, _] && char.IsAsciiDigit(text[1]) && char.IsAsciiDigit(text[2]))
                    || (text.StartsWith(GrpcPrefix, StringComparison.Ordinal) && Array.IndexOf(GrpcNames, text[GrpcPrefix.Length..]) > 0);
            },
            "write `connect`, `reset`, `timeout`, `notProcessed`, a status from 400 to 599, or a gRPC status such as `grpc-unavailable`"
        );

    /// <summary>A response with a status.</summary>
    /// <param name="status">From 400 to 599.</param>
    /// <exception cref="ArgumentOutOfRangeException">The status is not in this range.</exception>
    public static RetryCondition FromStatus(int status)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(status, 400);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(status, 599);
        return new(status.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>A gRPC response without messages, with a status.</summary>
    /// <param name="status">From 1 (cancelled) to 16 (unauthenticated).</param>
    /// <exception cref="ArgumentOutOfRangeException">The status is not in this range.</exception>
    public static RetryCondition FromGrpcStatus(int status)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(status, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(status, 16);
        return new(GrpcPrefix + GrpcNames[status]);
    }

    /// <summary>In YAML and JSON a status is a number, everything else is text.</summary>
    private sealed class ConditionGrammar : Grammar<RetryCondition>
    {
        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out RetryCondition value) =>
            Words.TryRead(node, path, report, out value);

        public override JsonObject Describe(SchemaDefinitions definitions) =>
            new() { ["anyOf"] = new JsonArray(Words.Describe(definitions), Scalars.Integer(400, 599).Describe(definitions)) };
    }
}
