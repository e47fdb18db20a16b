using System.Diagnostics;
using Lintel.Errors;
using Lintel.Observability.Logs;
using Lintel.Observability.Metrics;
using Lintel.Observability.Traces;

namespace Lintel.Services.Attempts;

/// <summary>What attempts need of the gateway.</summary>
internal sealed record AttemptParts(GatewayMetrics Metrics, ErrorLog Errors, TimeProvider Time);

/// <summary>
/// The attempts of one request to a service: which instance is next, what each attempt counts as, and whether another one may follow.
/// Forwarded requests, calls of compositions and mirrored copies all go through it; how a request is carried is theirs.
/// </summary>
/// <remarks>
/// An attempt follows on another instance where nothing of the request was sent, and on the same one where a kept connection ended under a
/// request that may be sent twice. Both count towards <see cref="Most"/>. A struct, because it lives in the frame or object of who makes
/// the attempts: a request that needs one attempt allocates nothing for it. Thread rule: one flow.
/// </remarks>
internal struct AttemptSeries
{
    /// <summary>Three instances that cannot be connected say enough about a service; the client should not wait for more.</summary>
    public const int Most = 3;

    private readonly Service _service;
    private readonly AttemptParts _parts;
    private readonly string _method;
    private readonly string _target;
    private readonly bool _isRepeatable;
    private List<Instance>? _tried;
    private long _began;

    /// <param name="service">Where the request goes.</param>
    /// <param name="method">Its method.</param>
    /// <param name="target">Its path and query.</param>
    /// <param name="isWhole">Whether all of the request is at hand, so that it can be sent again from its beginning.</param>
    /// <param name="parts">What attempts need of the gateway.</param>
    public AttemptSeries(Service service, string method, string target, bool isWhole, AttemptParts parts)
    {
        _service = service;
        _method = method;
        _target = target;
        _parts = parts;
        _isRepeatable = isWhole && Idempotency.Allows(method);
    }

    /// <summary>The instance that is tried; set once <see cref="TryChoose"/> has found one.</summary>
    public Instance Instance { get; private set; } = null!;

    /// <summary>How many attempts have begun.</summary>
    public int Count { get; private set; }

    /// <summary>Whether the attempt needs a connection of its own: a kept one ended under the one before.</summary>
    public bool NeedsFreshConnection { get; private set; }

    /// <summary>
    /// Whether the request may be sent a second time where the service may have seen it. One that may not asks more of a kept connection.
    /// </summary>
    public readonly bool IsRepeatable => _isRepeatable;

    /// <summary>The span of the attempt under way, where somebody records it.</summary>
    public Activity? Span { get; private set; }

    /// <summary>When the attempt under way began, by the clock's timestamps.</summary>
    public readonly long Began => _began;

    /// <summary>The instances that were tried, the current one included.</summary>
    public readonly List<Instance> Tried => Instance is null ? [.. _tried ?? []] : [.. _tried ?? [], Instance];

    /// <summary>Chooses the first instance.</summary>
    /// <param name="avoided">Instances that are taken only where there are no others.</param>
    /// <returns>False where there is none: <see cref="GatewayErrorKind.NoInstance"/>.</returns>
    public bool TryChoose(List<Instance>? avoided = null)
    {
        var instances = _service.Instances;
        _tried = avoided is null ? null : [.. avoided];
        var chosen = (_tried is null ? null : instances.PickOther(_tried)) ?? instances.Pick();
        if (chosen is null)
            return false;
        Instance = chosen;
        return true;
    }

    /// <summary>An attempt begins: the instance is busy with it, and it is timed.</summary>
    /// <param name="parent">What its span is a part of.</param>
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

    /// <summary>The attempt has ended.</summary>
    /// <param name="status">The status that the instance answered with; <see langword="null"/> for none.</param>
    /// <param name="error">Why it failed; <see langword="null"/> for an answer of whatever status.</param>
    /// <returns>How long it took.</returns>
    public TimeSpan End(int? status, GatewayError? error)
    {
        Instance.Leave();
        var duration = _parts.Time.GetElapsedTime(_began);
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
    /// Whether another attempt may follow one that failed; its instance is chosen then, and the failure is told as that of the instance.
    /// </summary>
    /// <param name="error">Why the last attempt failed.</param>
    /// <param name="route">The name of the route, for the log.</param>
    /// <param name="traceId">The request's trace, for the log.</param>
    public bool TryGoOn(GatewayError error, string? route, string traceId)
    {
        if (Count >= Most)
            return false;
        var failed = Instance;
        if (error.Rule.Retry == RetryScope.NothingSent)
        {
            (_tried ??= []).Add(failed);
            if (_service.Instances.PickOther(_tried) is not { } other)
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
            return true; // that a service ends what it has kept is nobody's failure
        }
        else
        {
            return false;
        }

        _parts.Errors.Attempted(error, route, _service.Name, failed.Name, traceId);
        return true;
    }
}
