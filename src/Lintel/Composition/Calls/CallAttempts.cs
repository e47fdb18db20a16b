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
/// Thread rule: one flow; <see cref="CutOff"/> from anywhere, ordered by a lock against the moments in which a connection is taken and
/// given back.
/// </remarks>
internal sealed class CallAttempts(CompositionRun run, CallRequest request) : OngoingRequest
{
    /// <summary>The request was cut off: nobody waits for its answer.</summary>
    public static readonly GatewayError Canceled = new(GatewayErrorKind.ClientAborted);

    private readonly Lock _lock = new();
    private AttemptSeries _attempts = new(request.Service, request.Method, request.Target, isWhole: true, run.Parts.Attempts);
    private Http1Connection? _connection;
    private CancellationTokenSource? _source;
    private ITimer? _patience;
    private long _began;
    private bool _wasSent;
    private bool _isCutOff;

    public CompositionRun Run => run;

    public CallRequest Request => request;

    /// <summary>The instance that is tried.</summary>
    public Instance Instance => _attempts.Instance;

    /// <summary>Whether the request may be sent a second time where the service may have seen it.</summary>
    public bool IsRepeatable => _attempts.IsRepeatable;

    /// <summary>Whether the attempt needs a connection of its own: a kept one ended under the one before.</summary>
    public bool NeedsFreshConnection => _attempts.NeedsFreshConnection;

    /// <summary>The span of the attempt under way, where somebody records it.</summary>
    public Activity? Span => _attempts.Span;

    /// <summary>The instances that were tried so far.</summary>
    public List<Instance> Tried
    {
        get
        {
            lock (_lock)
                return _attempts.Tried;
        }
    }

    /// <summary>Instances that are not asked again while there are others.</summary>
    public List<Instance>? Avoided { get; init; }

    /// <summary>What is left of the request's time.</summary>
    public TimeSpan Left => run.Time.Until(request.Due);

    /// <summary>How long its answer may take from now on.</summary>
    public TimeSpan LeftForAnswer => run.Time.Until(request.AwaitedUntil ?? request.Due);

    /// <summary>The same when the attempt began, a moment ago: saves a look at the clock where nothing was waited for.</summary>
    public TimeSpan LeftAtBegin => run.Time.Until(request.AwaitedUntil ?? request.Due, _began);

    /// <remarks>
    /// What can be undone is awaited once it is sent, for as long as undoing it may take: a service that was told to do something does it
    /// whether somebody listens or not.
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

    /// <summary>Sends the request, to another instance where one cannot be connected. Never throws.</summary>
    /// <param name="callSpan">The span that attempts are children of.</param>
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
            // The attempts are made here and not in a method of their own, as forwarded requests' are: each async method on the way costs
            // every call an object and a resumption (decision 0015).
            if (!TryChoose())
                return new GatewayError(GatewayErrorKind.NoInstance);
            while (true)
            {
                if (!run.Spent.TryCountRequest())
                    return new GatewayError(
                        GatewayErrorKind.TooManyItems,
                        $"a composed response may take at most {run.Plan.Limits.Requests} requests to services"
                    );
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

                _attempts.End(outcome.Answer?.Status, outcome.Error);
                if (outcome.Error is not { } error || IsCutOff() || Left <= TimeSpan.Zero || !TryGoOn(error))
                    return outcome with { Instance = instance, WasSent = _wasSent && outcome.Error?.Rule.Retry != RetryScope.NothingSent };
                _began = run.Parts.Time.GetTimestamp();
            }
        }
        finally
        {
            run.Ongoing.Remove(this);
            EndWaiting();
        }
    }

    /// <summary>From now on the service may see the request.</summary>
    /// <returns>False when it was cut off already.</returns>
    public bool TrySend()
    {
        lock (_lock)
        {
            _wasSent |= !_isCutOff;
            return !_isCutOff;
        }
    }

    /// <summary>Takes a connection under the rule that it is aborted when the request is cut off.</summary>
    /// <returns>False when it was already.</returns>
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

    /// <summary>From now on the connection is somebody else's.</summary>
    public void LetGo()
    {
        lock (_lock)
            _connection = null;
    }

    /// <summary>A token that ends after a time, or when the request is cut off. Costs a timer: only for what has none of its own.</summary>
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

    /// <summary>What a failure means where the request may have been cut off here.</summary>
    public GatewayError Explain(GatewayError error)
    {
        lock (_lock)
            return _isCutOff && !IsAwaited_NeedsLock ? Canceled : error;
    }

    private bool IsAwaited_NeedsLock => request.AwaitedUntil is not null && _wasSent;

    private void Abort_NeedsLock(Http1Failure failure)
    {
        _connection?.Abort(failure);
        _ = _source?.CancelAsync(); // its followers are anybody's code, and must not run under the lock
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

    /// <summary>Who hedges this request may ask at any time which instances were tried.</summary>
    private bool TryChoose()
    {
        lock (_lock)
            return _attempts.TryChoose(Avoided);
    }

    private bool TryGoOn(GatewayError error)
    {
        lock (_lock)
            return _attempts.TryGoOn(error, run.Plan.Route, run.Exchange.TraceId);
    }
}
