using System.Diagnostics;
using Lintel.Errors;
using Lintel.Observability.Logs;
using Lintel.Observability.Metrics;
using Lintel.Observability.Traces;
using Lintel.Services.Balancing;

namespace Lintel.Services.Attempts;

/// <summary>The dependencies of attempts.</summary>
internal sealed record AttemptParts(GatewayMetrics Metrics, ErrorLog Errors, TimeProvider Time);

/// <summary>
/// The attempts of one request to a service: selects the next instance, records each attempt, and decides whether another one may follow.
/// Used for forwarded requests, calls of compositions and mirrored copies; how a request is sent is up to the caller.
/// </summary>
/// <remarks>
/// A failed attempt is followed by one on another instance if nothing of the request was sent, and by one on the same instance if a
/// kept-alive connection ended under a request that may be sent twice. Both count towards <see cref="Most"/>. A struct, because it is
/// stored in the frame or object of its owner: a request that needs one attempt allocates nothing for it. Thread rule: one flow.
/// </remarks>
internal struct AttemptSeries
{
    /// <summary>
    /// The maximum number of attempts: after three instances that cannot be connected the client should not wait for more.
    /// </summary>
    public const int Most = 3;

    private readonly Service _service;
    private readonly AttemptParts _parts;
    private readonly string _method;
    private readonly string _target;
    private readonly bool _isRepeatable;
    private readonly RequestKey _key;
    private List<Instance>? _tried;
    private long _began;

    /// <param name="service">The service of the request.</param>
    /// <param name="method">Its method.</param>
    /// <param name="target">Its path and query.</param>
    /// <param name="isWhole">Whether the whole request is available, so that it can be sent again from its beginning.</param>
    /// <param name="key">What it says about the instance (<see cref="Service.KeyOf"/>).</param>
    /// <param name="parts">The dependencies of attempts.</param>
    public AttemptSeries(Service service, string method, string target, bool isWhole, RequestKey key, AttemptParts parts)
    {
        _service = service;
        _method = method;
        _target = target;
        _key = key;
        _parts = parts;
        _isRepeatable = isWhole && Idempotency.Allows(method);
    }

    /// <summary>The current instance; set once <see cref="TryChoose"/> has found one.</summary>
    public Instance Instance { get; private set; } = null!;

    /// <summary>The number of attempts that have begun.</summary>
    public int Count { get; private set; }

    /// <summary>Whether the attempt needs a new connection, because a kept-alive one ended under the previous attempt.</summary>
    public bool NeedsFreshConnection { get; private set; }

    /// <summary>
    /// Whether the request may be sent a second time if the service may have received it. If not, the requirements on a kept-alive
    /// connection are stricter.
    /// </summary>
    public readonly bool IsRepeatable => _isRepeatable;

    /// <summary>The span of the current attempt; <see langword="null"/> if it is not recorded.</summary>
    public Activity? Span { get; private set; }

    /// <summary>Start of the current attempt, as a timestamp of the clock.</summary>
    public readonly long Began => _began;

    /// <summary>The instances that were tried, including the current one.</summary>
    public readonly List<Instance> Tried => Instance is null ? [.. _tried ?? []] : [.. _tried ?? [], Instance];

    /// <summary>Chooses the first instance.</summary>
    /// <param name="avoided">Instances that are chosen only if there are no others.</param>
    /// <returns>False if there is none: <see cref="GatewayErrorKind.NoInstance"/>.</returns>
    public bool TryChoose(List<Instance>? avoided = null)
    {
        var instances = _service.Instances;
        _tried = avoided is null ? null : [.. avoided];
        var chosen = (_tried is null ? null : instances.PickOther(_tried, _key)) ?? instances.Pick(_key);
        if (chosen is null)
            return false;
        Instance = chosen;
        return true;
    }

    /// <summary>Begins an attempt: counts the request on the instance and starts the timing.</summary>
    /// <param name="parent">The parent of its span.</param>
    /// <param name="now">The clock's timestamp.</param>
    public void Begin(in TraceContext parent, long now)
    {
        _began = now;
        Span = AttemptSpan.Start(_method, _target, parent, _service, Instance);
        if (Count > 0)
            Span?.SetTag("http.request.resend_count", Count);
        Count++;
        Instance.Enter();
    }

    /// <summary>Ends the attempt.</summary>
    /// <param name="status">The status of the instance's response; <see langword="null"/> for none.</param>
    /// <param name="error">Why it failed; <see langword="null"/> for a response of any status.</param>
    /// <returns>The duration of the attempt.</returns>
    public TimeSpan End(int? status, GatewayError? error)
    {
        Instance.Exit();
        _service.Health?.Attempted(Instance, status, error);
        var duration = _parts.Time.GetElapsedTime(_began);
        Instance.Took(duration, status, error);
        _parts.Metrics.AttemptEnded(
            new AttemptOutcome(_method, _service.Name, Instance.Host, Instance.Port, status, error?.Rule.Slug),
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
    /// <param name="route">The name of the route, for the log.</param>
    /// <param name="traceId">The request's trace, for the log.</param>
    public bool TryContinue(GatewayError error, string? route, string traceId)
    {
        if (Count >= Most)
            return false;
        var failed = Instance;
        if (error.Rule.Retry == RetryScope.NothingSent)
        {
            (_tried ??= []).Add(failed);
            if (_service.Instances.PickOther(_tried, _key) is not { } other)
            {
                _tried.RemoveAt(_tried.Count - 1);
                return false;
            }

            Instance = other;
            NeedsFreshConnection = false;
        }
        else if (error.EndedKeptConnection && error.Rule.Retry == RetryScope.Idempotent && _isRepeatable && !NeedsFreshConnection)
        {
            NeedsFreshConnection = true;
            return true; // a service may close an idle connection at any time: not a failure
        }
        else
        {
            return false;
        }

        _parts.Errors.Attempted(error, route, _service.Name, failed.Name, traceId);
        return true;
    }
}
