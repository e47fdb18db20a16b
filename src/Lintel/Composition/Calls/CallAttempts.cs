using System.Diagnostics;
using System.Runtime.CompilerServices;
using Lintel.Errors;
using Lintel.Observability.Traces;
using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Services.Attempts;
using Lintel.Transport.Http1;

namespace Lintel.Composition.Calls;

/// <summary>The attempts of one request of a composition, which may be cut off at any time.</summary>
/// <remarks>
/// Thread rule: one flow; <see cref="CutOff"/> may be called from any thread, synchronized by a lock with acquiring and returning a
/// connection.
/// </remarks>
internal sealed class CallAttempts(CompositionRun run, CallRequest request) : OngoingRequest
{
    /// <summary>The request was cut off: its answer is no longer needed.</summary>
    public static readonly GatewayError Canceled = new(GatewayErrorKind.ClientAborted);

    private readonly Lock _lock = new();
    private AttemptSeries _attempts = new(
        request.Service,
        new AttemptRequest(request.Method, request.Target, IsWhole: true, Idempotency.Allows(request.Method))
        {
            Key = run.Pins.KeyOf(request.Service),
            AwaitsWhole = true,
        },
        run.Parts.Attempts
    );
    private Http1Connection? _connection;
    private CancellationTokenSource? _source;
    private ITimer? _patience;
    private long _began;
    private bool _wasSent;
    private bool _isCutOff;

    public CompositionRun Run => run;

    public CallRequest Request => request;

    /// <summary>The current instance.</summary>
    public Instance Instance => _attempts.Instance;

    /// <summary>Whether the request may be sent a second time after the service may have received it.</summary>
    public bool IsRepeatable => _attempts.IsRepeatable;

    /// <summary>Whether the attempt needs a new connection: a pooled one was closed during the previous attempt.</summary>
    public bool NeedsFreshConnection => _attempts.NeedsFreshConnection;

    /// <summary>The span of the current attempt, if it is recorded.</summary>
    public Activity? Span => _attempts.Span;

    /// <summary>The instances tried so far.</summary>
    public List<Instance> Tried
    {
        get
        {
            lock (_lock)
                return _attempts.Tried;
        }
    }

    /// <summary>Instances that are not chosen while there are others.</summary>
    public List<Instance>? Avoided { get; init; }

    /// <summary>The time left for the request.</summary>
    public TimeSpan Left => run.Time.Until(request.Due);

    /// <summary>The time left for its answer, from now on.</summary>
    public TimeSpan LeftForAnswer => OfTry(run.Time.Until(request.AwaitedUntil ?? request.Due));

    /// <summary>The time left for the answer when the attempt began: saves reading the clock if nothing was waited for.</summary>
    public TimeSpan LeftAtBegin => OfTry(run.Time.Until(request.AwaitedUntil ?? request.Due, _began));

    /// <remarks>
    /// A write that can be undone is awaited once it is sent, for as long as undoing it may take: the service performs it whether or not
    /// its answer is read.
    /// </remarks>
    public override void CutOff()
    {
        lock (_lock)
        {
            if (_isCutOff)
                return;
            _isCutOff = true;
            if (IsAwaited_NeedsLock)
                _patience = run.Parts.Time.CreateTimer(
                    static attempts => ((CallAttempts)attempts!).EndPatience(),
                    this,
                    request.Call.Config.Compensate!.Timeout,
                    Timeout.InfiniteTimeSpan
                );
            else
                Abort_NeedsLock(Http1Failure.Aborted);
        }
    }

    /// <summary>Sends the request, and retries another instance if one cannot be connected. Never throws.</summary>
    /// <param name="callSpan">The parent span of the attempts.</param>
    [AsyncMethodBuilder(typeof(PooledMethodBuilder<>))]
    public async ValueTask<FetchOutcome> RunAsync(Activity? callSpan)
    {
        _began = run.Parts.Time.GetTimestamp();
        if (run.Time.Until(request.Due, _began) <= TimeSpan.Zero)
            return new GatewayError(GatewayErrorKind.ResponseTimeout);
        if (!run.Ongoing.TryAdd(this))
            return Canceled;
        try
        {
            // The attempt loop is inline and not a separate method, as for forwarded requests: each async method on the path costs every
            // call an object and a resumption (decision 0015).
            if (!TryChoose())
                return request.Service.Instances.Refusal;
            while (true)
            {
                if (!run.Spent.TryCountRequest())
                    return new GatewayError(
                        GatewayErrorKind.TooManyItems,
                        $"a composed response may take at most {run.Plan.Limits.Requests} requests to services"
                    );
                if (await AdmitAsync().ConfigureAwait(false) is { } refused)
                    return refused;
                _wasSent = false;
                _attempts.Begin(callSpan is null ? run.Exchange.Trace : TraceContext.Of(callSpan), _began);
                var instance = _attempts.Instance;
                FetchOutcome outcome;
                try
                {
                    outcome = request.Service.HasLoops
                        ? await Http1Call.SendAsync(this).ConfigureAwait(false)
                        : await HandlerCall.SendAsync(this).ConfigureAwait(false);
                }
                catch (Exception e)
                {
                    outcome = Explain(GatewayError.OfDefect(e));
                }

                outcome = Offered(outcome);
                _attempts.End(outcome.Answer?.Status, outcome.Error);
                if (outcome.Answer is { Status: < 500 })
                    run.Pins.Answered(request.Service, instance, _attempts.Key);
                if (outcome.Error is not { } error || IsCutOff() || Left <= TimeSpan.Zero || !TryContinue(error))
                    return outcome with { Instance = instance, WasSent = _wasSent && outcome.Error?.Rule.Retry != RetryScope.NothingSent };
                if (_attempts.Delay > TimeSpan.Zero && !await WaitAsync(_attempts.Delay).ConfigureAwait(false))
                    return Canceled;
                _began = run.Parts.Time.GetTimestamp();
            }
        }
        finally
        {
            run.Ongoing.Remove(this);
            EndWaiting();
        }
    }

    /// <summary>Asks the service for a place, and waits for one if there is a queue.</summary>
    private ValueTask<GatewayError?> AdmitAsync()
    {
        if (_attempts.TryAdmit(_began, out var refused))
            return default;
        return refused is not null ? new(refused) : QueueAsync();

        async ValueTask<GatewayError?> QueueAsync()
        {
            var timer = Timer(Left);
            try
            {
                var result = _attempts.Waited(await request.Service.Bulkhead!.WaitAsync(Left, timer.Token).ConfigureAwait(false));
                _began = run.Parts.Time.GetTimestamp();
                return result is null ? null : Explain(result);
            }
            finally
            {
                EndTimer(timer);
            }
        }
    }

    /// <summary>Waits before another attempt.</summary>
    /// <returns>False if the request was cut off meanwhile.</returns>
    private async ValueTask<bool> WaitAsync(TimeSpan delay)
    {
        var timer = Timer(Left);
        await Task.Delay(delay, run.Parts.Time, timer.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        EndTimer(timer);
        return !IsCutOff();
    }

    /// <summary>Gives up an answer that the service's rules retry. An answer is complete here: the offer is made after the fact.</summary>
    private FetchOutcome Offered(FetchOutcome outcome)
    {
        if (outcome.Answer is not { } answer || !request.Service.Retries.HasStatuses)
            return outcome;
        if (_attempts.Offer(() => Left)?.Take(answer.Status, null, answer.RetryAfter) is not { } retried)
            return outcome;
        answer.Body.Release();
        return retried;
    }

    private TimeSpan OfTry(TimeSpan left) => _attempts.PerTry is { } limit && limit < left ? limit : left;

    /// <summary>Marks the request as sent: from now on the service may receive it.</summary>
    /// <returns>False if it was already cut off.</returns>
    public bool TrySend()
    {
        lock (_lock)
        {
            _wasSent |= !_isCutOff;
            return !_isCutOff;
        }
    }

    /// <summary>Registers a connection, which is aborted when the request is cut off.</summary>
    /// <returns>False if it was already cut off.</returns>
    public bool Hold(Http1Connection connection)
    {
        lock (_lock)
        {
            if (_isCutOff)
                return false;
            _connection = connection;
            _wasSent = true;
            return true;
        }
    }

    /// <summary>Unregisters the connection before another request uses it.</summary>
    public void Detach()
    {
        lock (_lock)
            _connection = null;
    }

    /// <summary>
    /// Creates a token that is canceled after a time, or when the request is cut off. Costs a timer: only for operations without a timeout
    /// of their own.
    /// </summary>
    public CancellationTokenSource Timer(TimeSpan left)
    {
        var source = new CancellationTokenSource(left, run.Parts.Time);
        lock (_lock)
        {
            _source = source;
            if (_isCutOff)
                source.Cancel();
        }

        return source;
    }

    public void EndTimer(CancellationTokenSource source)
    {
        lock (_lock)
            _source = null;
        source.Dispose();
    }

    /// <summary>Returns the error for a failure, considering that the request may have been cut off here.</summary>
    public GatewayError Explain(GatewayError error)
    {
        lock (_lock)
            return _isCutOff && !IsAwaited_NeedsLock ? Canceled : error;
    }

    private bool IsAwaited_NeedsLock => request.AwaitedUntil is not null && _wasSent;

    private void Abort_NeedsLock(Http1Failure failure)
    {
        _connection?.Abort(failure);
        _ = _source?.CancelAsync(); // its callbacks are arbitrary code, and must not run under the lock
    }

    private void EndPatience()
    {
        lock (_lock)
            Abort_NeedsLock(Http1Failure.TimedOut);
    }

    private void EndWaiting()
    {
        if (request.AwaitedUntil is null)
            return;
        lock (_lock)
            _patience?.Dispose();
    }

    private bool IsCutOff()
    {
        lock (_lock)
            return _isCutOff;
    }

    /// <summary>Chooses an instance under the lock: hedging may read the tried instances at any time.</summary>
    private bool TryChoose()
    {
        lock (_lock)
            return _attempts.TryChoose(Avoided);
    }

    private bool TryContinue(GatewayError error)
    {
        lock (_lock)
            return _attempts.TryContinue(error, Left, run.Plan.Route, run.Exchange.TraceId);
    }
}
