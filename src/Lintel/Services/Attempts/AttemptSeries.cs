using System.Diagnostics;
using Lintel.Errors;
using Lintel.Observability.Logs;
using Lintel.Observability.Metrics;
using Lintel.Observability.Traces;
using Lintel.Pipeline;
using Lintel.Services.Balancing;
using Lintel.Services.Breaking;

namespace Lintel.Services.Attempts;

/// <summary>The dependencies of attempts.</summary>
internal sealed record AttemptParts(GatewayMetrics Metrics, ErrorLog Errors, TimeProvider Time);

/// <summary>A request as its attempts see it.</summary>
/// <param name="Method">Its method.</param>
/// <param name="Target">Its path and query.</param>
/// <param name="IsWhole">Whether the whole request is available, so that it can be sent again from its beginning.</param>
/// <param name="IsIdempotent">Whether it may be sent again after the service may have received it.</param>
internal readonly record struct AttemptRequest(string Method, string Target, bool IsWhole, bool IsIdempotent)
{
    /// <summary>What it says about the instance (<see cref="Service.KeyOf"/>).</summary>
    public RequestKey Key { get; init; }

    /// <summary>
    /// Whether nothing of a response is used before all of it has arrived: then one that ends early is as if there had been none.
    /// </summary>
    public bool AwaitsWhole { get; init; }

    /// <summary>Whether a body that was kept can be replayed; <see langword="null"/> if none is kept.</summary>
    public Func<bool>? MayReplay { get; init; }
}

/// <summary>
/// The attempts of one request to a service: selects the next instance, admits and records each attempt, and decides whether another one
/// may follow. Used for forwarded requests, calls of compositions and mirrored copies; how a request is sent is up to the caller.
/// </summary>
/// <remarks>
/// The rules are those of <see cref="RetryRules"/>. In addition, one attempt follows on the same instance if a kept-alive connection ended
/// under a request that may be sent twice. Every attempt counts towards <see cref="RetryRules.Most"/>. A struct, because it is stored in
/// the frame or object of its owner: a request that needs one attempt allocates nothing for it. Thread rule: one flow.
/// </remarks>
internal struct AttemptSeries
{
    private readonly Service _service;
    private readonly AttemptParts _parts;
    private readonly AttemptRequest _request;
    private List<Instance>? _tried;
    private RetryOffer? _offer;
    private long _began;
    private int _retries;
    private bool _isProbe;

    public AttemptSeries(Service service, in AttemptRequest request, AttemptParts parts)
    {
        _service = service;
        _request = request;
        _parts = parts;
    }

    /// <summary>The current instance; set once <see cref="TryChoose"/> has found one.</summary>
    public Instance Instance { get; private set; } = null!;

    /// <summary>The number of attempts that have begun.</summary>
    public int Count { get; private set; }

    /// <summary>Whether the attempt needs a new connection, because a kept-alive one ended under the previous attempt.</summary>
    public bool NeedsFreshConnection { get; private set; }

    /// <summary>The wait before the next attempt, set by <see cref="TryContinue"/>.</summary>
    public TimeSpan Delay { get; private set; }

    /// <summary>
    /// Whether the request may be sent a second time if the service may have received it, without a body that was kept for that. If not,
    /// the requirements on a kept-alive connection are stricter.
    /// </summary>
    public readonly bool IsRepeatable => _request is { IsWhole: true, IsIdempotent: true };

    /// <summary>The span of the current attempt; <see langword="null"/> if it is not recorded.</summary>
    public Activity? Span { get; private set; }

    /// <summary>Start of the current attempt, as a timestamp of the clock.</summary>
    public readonly long Began => _began;

    /// <summary>The request.</summary>
    public readonly AttemptRequest Request => _request;

    /// <summary>What the request says about the instance.</summary>
    public readonly RequestKey Key => _request.Key;

    /// <summary>The instances that were tried, including the current one.</summary>
    public readonly List<Instance> Tried => Instance is null ? [.. _tried ?? []] : [.. _tried ?? [], Instance];

    /// <summary>
    /// The cookie that pins the client to the current instance; <see langword="null"/> if it is pinned to it, or clients are not pinned.
    /// </summary>
    public readonly string? Pin(Exchange client) =>
        _service.Affinity is null ? null : _service.PinTo(Instance, _request.Key, client.IsHttps);

    /// <summary>The limit of each attempt; <see langword="null"/> for none: what is not repeated has the time of the request.</summary>
    public readonly TimeSpan? PerTry =>
        _service.Retries is { OnTimeout: true, PerTry: { } limit }
        && _request.IsIdempotent
        && (_request.IsWhole || _request.MayReplay is not null)
            ? limit
            : null;

    private readonly bool MayReplay => _request.IsWhole || _request.MayReplay?.Invoke() == true;

    /// <summary>Chooses the first instance.</summary>
    /// <param name="avoided">Instances that are chosen only if there are no others.</param>
    /// <returns>False if there is none: <see cref="InstanceSet.Refusal"/> says why.</returns>
    public bool TryChoose(List<Instance>? avoided = null)
    {
        var instances = _service.Instances;
        _tried = avoided is null ? null : [.. avoided];
        var chosen = (_tried is null ? null : instances.PickOther(_tried, _request.Key)) ?? instances.Pick(_request.Key);
        if (chosen is null)
            return false;
        Instance = chosen;
        return true;
    }

    /// <summary>Asks the service's circuit breaker and bulkhead for the next attempt, which <see cref="Begin"/> follows.</summary>
    /// <param name="now">The clock's timestamp.</param>
    /// <param name="refused">Why it is refused; <see langword="null"/> if it is admitted, or has to wait.</param>
    /// <returns>False if it is refused or has to wait; then <see cref="Bulkhead.WaitAsync"/> and <see cref="Waited"/> follow.</returns>
    public bool TryAdmit(long now, out GatewayError? refused)
    {
        refused = _service.Breaker?.Enter(now, out _isProbe);
        if (refused is not null)
            _parts.Metrics.Refused(_service.Name, refused.Rule.Slug);
        return refused is null && (_service.Bulkhead is null || _service.Bulkhead.TryEnter());
    }

    /// <summary>Ends the wait for a place.</summary>
    /// <param name="refused">The result of the wait.</param>
    /// <returns>The same.</returns>
    public readonly GatewayError? Waited(GatewayError? refused)
    {
        if (refused is null)
            return null;
        _service.Breaker?.Record(_parts.Time.GetTimestamp(), AttemptVerdict.Neutral, _isProbe);
        _parts.Metrics.Refused(_service.Name, refused.Rule.Slug);
        return refused;
    }

    /// <summary>Begins an admitted attempt: counts the request on the instance and starts the timing.</summary>
    /// <param name="parent">The parent of its span.</param>
    /// <param name="now">The clock's timestamp.</param>
    public void Begin(in TraceContext parent, long now)
    {
        _began = now;
        Span = AttemptSpan.Start(_request.Method, _request.Target, parent, _service, Instance);
        if (Count > 0)
            Span?.SetTag("http.request.resend_count", Count);
        else
            _service.Retries.Budget?.Deposit(now);
        Count++;
        Instance.Enter();
    }

    /// <summary>
    /// The offer to give up the response of the current attempt; <see langword="null"/> if no other attempt is possible.
    /// </summary>
    /// <param name="left">The time left for the request.</param>
    public RetryOffer? Offer(Func<TimeSpan?> left)
    {
        var rules = _service.Retries;
        var isPossible =
            rules.HasStatuses && Count < rules.Most && _request.IsIdempotent && (_request.IsWhole || _request.MayReplay is not null);
        return _offer = isPossible
            ? new RetryOffer(rules, _retries + 1, _request.IsWhole ? null : _request.MayReplay, left, _parts.Time)
            : null;
    }

    /// <summary>Ends the attempt.</summary>
    /// <param name="status">The status of the instance's response; <see langword="null"/> for none.</param>
    /// <param name="error">Why it failed; <see langword="null"/> for a response of any status.</param>
    /// <param name="latency">How long the instance took to answer; <see langword="null"/> if only the whole attempt is known.</param>
    /// <returns>The duration of the attempt.</returns>
    public TimeSpan End(int? status, GatewayError? error, TimeSpan? latency = null)
    {
        if (error?.Kind == GatewayErrorKind.ResponseRetried)
            (status, error) = (_offer!.Status, null); // for everybody but the request, it is a response
        Instance.Exit();
        var now = _parts.Time.GetTimestamp();
        var duration = _parts.Time.GetElapsedTime(_began, now);
        var end = new AttemptEnd(AttemptVerdicts.Of(status, error), status, error, now, duration) { Latency = latency };
        _service.Bulkhead?.Exit(end);
        _service.Breaker?.Record(now, end.Verdict, _isProbe);
        _service.Health?.Attempted(Instance, end);
        Instance.Took(end);
        _parts.Metrics.AttemptEnded(
            new AttemptOutcome(_request.Method, _service.Name, Instance.Host, Instance.Port, status, error?.Rule.Slug),
            duration,
            Instance.Labels
        );
        if (Span is { } span)
        {
            AttemptSpan.Describe(span, status, error);
            span.Stop();
            Span = null;
        }

        return duration;
    }

    /// <summary>
    /// Whether another attempt may follow a failed one. If so, its instance is chosen, and the failure is logged for the failed instance.
    /// </summary>
    /// <param name="error">Why the last attempt failed.</param>
    /// <param name="left">The time left for the request; <see langword="null"/> for no limit.</param>
    /// <param name="route">The name of the route, for the log.</param>
    /// <param name="traceId">The request's trace, for the log.</param>
    public bool TryContinue(GatewayError error, TimeSpan? left, string? route, string traceId)
    {
        var most = _service.Retries.Most;
        if (Count < Math.Max(most, 2) && IsLostKeptConnection(error))
        {
            NeedsFreshConnection = true;
            Delay = TimeSpan.Zero;
            return true; // a service may close an idle connection at any time: not a failure
        }

        var failed = Instance;
        if (Count >= most || !TryDelay(error, left, out var delay))
            return false;
        Delay = delay;
        NeedsFreshConnection = false;
        _retries++;
        _parts.Metrics.Retried(_service.Name, error.Rule.Slug);
        _parts.Errors.Attempted(error, route, _service.Name, failed.Name, traceId);
        return true;
    }

    private readonly bool IsLostKeptConnection(GatewayError error) =>
        error.EndedKeptConnection && error.Rule.Retry == RetryScope.Idempotent && IsRepeatable && !NeedsFreshConnection;

    /// <summary>Decides whether the rules allow another attempt, how long it waits, and on which instance.</summary>
    private bool TryDelay(GatewayError error, TimeSpan? left, out TimeSpan delay)
    {
        var rules = _service.Retries;
        delay = TimeSpan.Zero;
        var wasSent = false;
        switch (error)
        {
            case { Kind: GatewayErrorKind.ResponseRetried }:
                delay = _offer!.Delay; // decided when the response was given up
                ChooseNext();
                return true;
            case { Rule.Retry: RetryScope.NothingSent } when rules.OnConnect:
                if (TryChooseAnother())
                    return true; // at once: the failed instance is not waited for
                if (rules.Config is null)
                    return false;
                break;
            case { IsNotProcessed: true } when rules.OnNotProcessed && MayReplay:
                break;
            case { Kind: GatewayErrorKind.ConnectionTerminated } when rules.OnReset && _request.IsIdempotent && MayReplay:
            case { Kind: GatewayErrorKind.ResponseIncomplete }
                when _request.AwaitsWhole && rules.OnReset && _request.IsIdempotent && MayReplay:
            case { Kind: GatewayErrorKind.ResponseTimeout } when rules.OnTimeout && _request.IsIdempotent && MayReplay:
                wasSent = true;
                break;
            default:
                return false;
        }

        delay = rules.Backoff(_retries + 1);
        if (left <= delay || (wasSent && !rules.Budget!.TryWithdraw(_parts.Time.GetTimestamp())))
            return false;
        ChooseNext();
        return true;
    }

    /// <summary>Chooses an instance that was not tried; without one, any.</summary>
    private void ChooseNext()
    {
        if (!TryChooseAnother())
            Instance = _service.Instances.Pick(_request.Key) ?? Instance;
    }

    private bool TryChooseAnother()
    {
        (_tried ??= []).Add(Instance);
        if (_service.Instances.PickOther(_tried, _request.Key) is { } other)
        {
            Instance = other;
            return true;
        }

        _tried.RemoveAt(_tried.Count - 1);
        return false;
    }
}
