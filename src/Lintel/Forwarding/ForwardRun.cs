using Lintel.Errors;
using Lintel.Forwarding.Grpc;
using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Services.Attempts;

namespace Lintel.Forwarding;

/// <summary>
/// One request on its way to a service: what its attempts share, and what happens before, between and after them. The order is that of
/// <see cref="ForwardTarget.RunAsync"/>.
/// </summary>
/// <remarks>
/// A mutable struct that is stored in the frame of its only user: an object would be one more for every request. Thread rule: one flow.
/// </remarks>
internal struct ForwardRun(Exchange exchange, ForwardPlan plan, ForwardParts parts)
{
    private Service _service = null!; // this and the following: set by Prepare, if it returns no error
    private UpstreamRequest? _request;
    private Deadline _deadline = null!;
    private IForwarder _forwarder = null!;
    private AttemptSeries _attempts;
    private long _now;

    private BodyRecorder? _copy;
    private KeptBody? _kept;
    private HedgeRace? _race;
    private bool _mayHedge;
    private RequestBody? _translation;

    /// <summary>The wait before the next attempt.</summary>
    public readonly TimeSpan Delay => _attempts.Delay;

    /// <summary>
    /// Whether a request may be sent again after the service may have received it. A client that sends an <c>Idempotency-Key</c> expects
    /// the service to recognize repetitions.
    /// </summary>
    /// <param name="exchange">The client's exchange.</param>
    /// <param name="method">The method.</param>
    /// <param name="isIdempotent">Whether the route says so.</param>
    public static bool MayRepeat(Exchange exchange, string method, bool isIdempotent) =>
        Idempotency.Allows(method) || isIdempotent || exchange.Request.Headers.ContainsKey("Idempotency-Key");

    /// <summary>Whether a request that may be sent again can be raced.</summary>
    public static bool IsHedgeable(Exchange exchange, UpstreamRequest request) =>
        !exchange.HasBody && request.Grpc is null && !exchange.WantsUpgrade;

    /// <summary>Chooses service and instance, and creates the request for the service.</summary>
    /// <returns>Why the request is refused; <see langword="null"/> if an attempt may begin.</returns>
    public GatewayError? Prepare()
    {
        _service = plan.Choice.Pick(exchange);
        exchange.Service = _service.Name;
        if (UpstreamRequest.Create(exchange, plan.Path, plan.Query, plan.RequestHeaders, out var refusal) is not { } request)
            return refusal;
        if (_service.Affinity is { } affinity)
            request.RemoveCookie(affinity.Cookie);
        request.Grpc = GrpcCall.Of(exchange);
        exchange.Upgrade = plan.Upgrades.Choose(exchange);
        var wantsUpgrade = exchange.WantsUpgrade;
        if (exchange.IsExtendedConnect && !wantsUpgrade)
            return new GatewayError(GatewayErrorKind.BadUpgrade, "the route does not allow an upgrade to `websocket`");
        if (request.Grpc is not null || wantsUpgrade)
            exchange.Request.AllowPauses();

        _request = request;
        _translation = _service.TranslatesGrpcWeb ? request.Grpc?.Translate(request) : null;
        _copy = wantsUpgrade ? null : plan.Mirror?.Record(exchange);
        _now = parts.Time.GetTimestamp();
        var isIdempotent = MayRepeat(exchange, request.Method, plan.IsIdempotent);
        _mayHedge = _service.Hedging is not null && isIdempotent && IsHedgeable(exchange, request);
        _deadline = Deadline.Begin(_service.RequestTimeout, request.Grpc?.Timeout, exchange.HasBody, parts.Time, _now);
        _deadline.Measures = _service.MeasuresLatency;
        _kept = KeptBody.For(exchange, _service.Retries, isIdempotent, parts.Memory);
        _forwarder = parts.Forwarders.For(_service, request, exchange.IsExtendedConnect);
        var attempted = new AttemptRequest(request.Method, request.PathAndQuery, IsWhole: !exchange.HasBody, isIdempotent)
        {
            Key = _service.KeyOf(exchange),
            MayReplay = _kept is null ? null : _kept.CanRewind,
        };
        _attempts = new AttemptSeries(_service, attempted, parts.Attempts);
        return _attempts.TryChoose() ? null : _service.Instances.Refusal;
    }

    /// <inheritdoc cref="AttemptSeries.TryAdmit"/>
    public bool TryAdmit(out GatewayError? refused) => _attempts.TryAdmit(_now, out refused);

    /// <summary>Waits for a place in the service's bulkhead.</summary>
    public readonly ValueTask<GatewayError?> WaitAsync() => _service.Bulkhead!.WaitAsync(Left, exchange.Aborted);

    /// <inheritdoc cref="AttemptSeries.Waited"/>
    public GatewayError? Waited(GatewayError? refused)
    {
        _now = parts.Time.GetTimestamp();
        return _attempts.Waited(refused);
    }

    /// <summary>Begins an admitted attempt, and records it for logs, spans and the response.</summary>
    public void BeginAttempt()
    {
        _attempts.Begin(_request!.Trace, _now);
        _deadline.BeginTry(_attempts.PerTry, _now);
        exchange.Instance = _attempts.Instance.Name;
        exchange.Attempts = _attempts.Count;
        exchange.AttemptTimestamp = _attempts.Began;
        exchange.Cookies = _attempts.Pin(exchange);
    }

    /// <summary>Sends the request to the current instance, or to several in a race, and passes a response on.</summary>
    public ValueTask<GatewayError?> SendAsync()
    {
        var attempt = new ForwardAttempt(_service, _attempts.Instance, _request!, _deadline)
        {
            Began = _attempts.Began,
            Span = _attempts.Span,
            IsRepeatable = _attempts.IsRepeatable,
            NeedsFreshConnection = _attempts.NeedsFreshConnection,
            Offer = _service.Retries.HasStatuses ? Offer() : null,
        };
        if (!_mayHedge || _attempts.Count > 1)
            return _forwarder.SendAsync(exchange, attempt);
        _race = HedgeRace.Create(exchange, _forwarder, parts.Attempts, _attempts.Request, attempt);
        return _race.RunAsync();
    }

    /// <summary>Ends the attempt.</summary>
    /// <param name="error">Why it failed; <see langword="null"/> if a response was passed on.</param>
    public void EndAttempt(GatewayError? error)
    {
        int? status = error is null || exchange.Response.HasStarted ? exchange.Response.StatusCode : null;
        if (_race is not null)
        {
            exchange.Attempts += _race.Hedges;
            (status, error) = _race.EndOfFirst(status, error);
            _race.End();
            _race = null;
        }

        exchange.Upstream += _attempts.End(status, error, _deadline.Measures ? _deadline.TakeLatency(_attempts.Began) : null);
        exchange.AttemptTimestamp = 0;
    }

    /// <summary>Whether another attempt may follow a failed one; if so, its instance is chosen.</summary>
    public bool TryContinue(GatewayError error)
    {
        if (exchange.Response.HasStarted || _deadline.IsOver)
            return false;
        var failed = _attempts.Instance;
        if (!_attempts.TryContinue(error, Left, exchange.Route!.Name, exchange.TraceId))
            return false;
        if (exchange.Span is { } span)
            RequestSpan.Retried(span, failed.Name, error, _attempts.Count);
        ResponsePhase.Restart(exchange); // the failed attempt may have left a status
        exchange.RequestBytes = 0; // the next attempt sends the body from its beginning
        return true;
    }

    /// <summary>Prepares the next attempt, after its delay.</summary>
    /// <returns>Why there is none; <see langword="null"/> if it may begin.</returns>
    public GatewayError? Repeat()
    {
        _kept?.Rewind();
        _now = parts.Time.GetTimestamp();
        return exchange.IsAborted ? new GatewayError(GatewayErrorKind.ClientAborted) : null;
    }

    /// <summary>Ends the forwarding, and sends the copy of the request, if there is one.</summary>
    /// <param name="isCopied">False after an exception.</param>
    public readonly void End(bool isCopied)
    {
        if (_request is null)
            return;
        _kept?.Dispose();
        _deadline.Dispose();
        if (_copy is not null && isCopied)
            plan.Mirror!.Send(_copy, _request);
        else if (_copy is not null)
            _copy.Discard();
        else if (_request.Grpc is null)
            _request.Release(); // a copy, and the answer to a call, may still be in progress
        _translation?.Stop();
    }

    private readonly TimeSpan? Left => _deadline.LeftOfRequest(parts.Time.GetTimestamp());

    private RetryOffer? Offer()
    {
        var (deadline, time) = (_deadline, parts.Time);
        return _attempts.Offer(() => deadline.LeftOfRequest(time.GetTimestamp()));
    }
}
