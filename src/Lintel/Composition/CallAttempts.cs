using System.Diagnostics;
using Lintel.Errors;
using Lintel.Forwarding;
using Lintel.Observability;
using Lintel.Services;
using Lintel.Transport.Http1;

namespace Lintel.Composition;

/// <summary>The attempt loop of one request: an instance is chosen, tried, and, where nothing was sent, another one takes its place.</summary>
/// <remarks>Thread rule: one flow; <see cref="CutOff"/> from anywhere, ordered by a lock against the moments in which a connection is taken and given back.</remarks>
internal sealed class CallAttempts(CallRunner runner, CallRequest request, List<Instance> tried) : OngoingRequest
{
    /// <summary>As for forwarded requests: three instances that cannot be connected say enough about a service.</summary>
    private const int MaxAttempts = 3;

    private static readonly GatewayError Canceled = new(GatewayErrorKind.ClientAborted);

    private readonly Lock _lock = new();
    private Http1Connection? _connection;
    private CancellationTokenSource? _source;
    private bool _isCutOff;

    public CallRunner Runner => runner;

    public CallRequest Request => request;

    /// <summary>The span of the attempt under way, where somebody records it.</summary>
    public Activity? Span { get; private set; }

    /// <summary>The instances that were tried so far.</summary>
    public List<Instance> Tried
    {
        get
        {
            lock (_lock)
                return [.. tried];
        }
    }

    /// <summary>What is left of the request's time.</summary>
    public TimeSpan Left => runner.Until(request.Due);

    public override void CutOff()
    {
        lock (_lock)
        {
            _isCutOff = true;
            _connection?.Abort(Http1Failure.Aborted);
            _ = _source?.CancelAsync(); // its followers are anybody's code, and must not run under the lock
        }
    }

    /// <summary>Sends the request, to another instance where one cannot be connected. Never throws.</summary>
    /// <param name="callSpan">The span that attempts are children of.</param>
    public async ValueTask<CallOutcome> RunAsync(Activity? callSpan)
    {
        if (Left <= TimeSpan.Zero)
            return new GatewayError(GatewayErrorKind.ResponseTimeout);
        if (!runner.Ongoing.TryAdd(this))
            return Canceled;
        try
        {
            var instance = Next() ?? request.Service.Balancer.Pick();
            for (var attempt = 1; ; attempt++)
            {
                lock (_lock)
                    tried.Add(instance);
                var outcome = await TryAsync(instance, attempt, callSpan).ConfigureAwait(false);
                if (outcome.Error?.Rule.Retry != RetryScope.NothingSent || attempt == MaxAttempts || IsCutOff() || Left <= TimeSpan.Zero || Next() is not { } other)
                    return outcome;
                instance = other;
            }
        }
        finally
        {
            runner.Ongoing.Remove(this);
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
            return true;
        }
    }

    /// <summary>From now on the connection is somebody else's.</summary>
    public void LetGo()
    {
        lock (_lock)
            _connection = null;
    }

    /// <summary>A token that ends with the request's time, or when it is cut off. Costs a timer: only for what has none of its own.</summary>
    public CancellationTokenSource Timer()
    {
        var source = new CancellationTokenSource(Left, runner.Parts.Time);
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

    /// <summary>What a failure means where the request was cut off here, or ran out of time.</summary>
    public GatewayError Explain(GatewayError error)
    {
        if (IsCutOff())
            return Canceled;
        return Left <= TimeSpan.Zero && error.Kind is not (GatewayErrorKind.ConnectionTimeout or GatewayErrorKind.DnsError) ? new GatewayError(GatewayErrorKind.ResponseTimeout, Cause: error.Cause) : error;
    }

    private bool IsCutOff()
    {
        lock (_lock)
            return _isCutOff;
    }

    private Instance? Next() => tried.Count == 0 ? null : request.Service.Balancer.PickOther(tried);

    private async ValueTask<CallOutcome> TryAsync(Instance instance, int attempt, Activity? callSpan)
    {
        if (!runner.TryCountRequest())
            return new GatewayError(GatewayErrorKind.TooManyItems, $"one answer takes at most {runner.Plan.Limits.Requests} requests to services");
        var time = runner.Parts.Time;
        var started = time.GetTimestamp();
        Span = AttemptSpan.Start(request.Method, request.Target, callSpan is null ? runner.Exchange.Trace : TraceContext.Of(callSpan), request.Service, instance, attempt - 1);
        instance.Enter();
        CallOutcome outcome = new GatewayError(GatewayErrorKind.Internal);
        try
        {
            outcome = request.Service.HasLoops
                ? await Http1Call.SendAsync(this, instance).ConfigureAwait(false)
                : await HandlerCall.SendAsync(this, instance).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            outcome = Explain(new GatewayError(GatewayErrorKind.Internal, Cause: e));
        }
        finally
        {
            instance.Leave();
        }

        var duration = time.GetElapsedTime(started);
        runner.Parts.Metrics.AttemptEnded(new AttemptOutcome(request.Method, request.Service.Name, instance.Host, instance.Port, outcome.Answer?.Status, outcome.Error?.Rule.Slug), duration, instance.Labels);
        if (Span is { } span)
        {
            AttemptSpan.Describe(span, outcome.Answer?.Status, outcome.Error);
            span.Stop();
            Span = null;
        }

        return outcome;
    }
}
