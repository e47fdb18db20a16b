using System.Text.Json;
using System.Threading.Tasks.Sources;
using Lintel.Composition.Answers;
using Lintel.Composition.Merge;
using Lintel.Composition.Plan;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Transport.Loop;

namespace Lintel.Composition.Calls;

/// <summary>
/// Runs one composition: its calls, each started as soon as its inputs are available, on the thread that provided them; and their shared
/// state: time, limits, values and requests in progress.
/// </summary>
/// <remarks>
/// Thread rule: calls end on any thread; a lock synchronizes their updates to the plan's progress, and no call is started under it.
/// </remarks>
internal sealed class CompositionRun : IValueTaskSource, IClientWatch
{
    private static readonly Action<object?> OnAborted = static run => ((CompositionRun)run!).ClientDisconnected();

    private readonly Lock _lock = new();
    private readonly int[] _missing;
    private readonly List<AnswerBody> _bodies = [];
    private ManualResetValueTaskSourceCore<bool> _done;
    private CancellationTokenRegistration _abortRegistration;
    private SameRequests? _same;
    private int _unfinished;
    private int _ended;
    private bool _isOver;

    public CompositionRun(Exchange exchange, CallPlan plan, CompositionParts parts, TimeSpan deadline)
    {
        Exchange = exchange;
        Plan = plan;
        Parts = parts;
        Shape = plan.ShapeFor(exchange.Routed);
        Time = new CompositionTime(parts.Time, deadline);
        Spent = new SpentLimits(plan.Limits);
        Scope = new CallScope(plan);
        Pins = new CompositionPins(exchange);
        Sending = new SendingLimit(exchange, parts.Time, plan.Limits.Send);
        Fields = CallFields.Of(exchange, plan.Forwarded);
        _missing = new int[plan.Calls.Length];
        _unfinished = plan.Calls.Length;
        Results = new CallResult[plan.Calls.Length];
        for (var i = 0; i < Results.Length; i++)
        {
            Results[i] = new CallResult(plan.Calls[i]);
            _missing[i] = plan.Calls[i].Needs.Length;
            if (Shape.Unneeded?[i] != true)
                continue;
            Results[i].State = CallState.Skipped;
            _missing[i] = int.MaxValue; // it never begins
            _unfinished--;
        }
    }

    public Exchange Exchange { get; }

    public CallPlan Plan { get; }

    public CompositionParts Parts { get; }

    /// <summary>The shape of this client's answer.</summary>
    public AnswerShape Shape { get; }

    /// <summary>The start and the deadlines.</summary>
    public CompositionTime Time { get; }

    /// <summary>The instances that the client is pinned to.</summary>
    public CompositionPins Pins { get; }

    /// <summary>The consumption of its limits.</summary>
    public SpentLimits Spent { get; }

    /// <summary>The values that expressions see.</summary>
    public CallScope Scope { get; }

    /// <summary>The client's and the gateway's own fields that all calls receive.</summary>
    public CallFields Fields { get; }

    public CallResult[] Results { get; }

    /// <summary>Documents that values point into.</summary>
    public List<JsonDocument> Documents { get; } = [];

    /// <summary>The requests of this composition's calls, shared with calls that make the same request.</summary>
    public SameRequests Same => LazyInitializer.EnsureInitialized(ref _same, static () => new SameRequests());

    /// <summary>The requests in progress; replaced for those that undo others, which continue when everything else is cut off.</summary>
    public OngoingRequests Ongoing { get; private set; } = new();

    /// <summary>The call that decides the answer: a required one that failed, or one with a status that passes through.</summary>
    public CallResult? Decisive { get; private set; }

    public bool IsClientGone { get; private set; }

    /// <summary>Called for each call that ends, in the order in which they end; for answers that are streamed.</summary>
    public Action<CallResult>? Ended { get; init; }

    /// <summary>The client's body, if the plan reads it.</summary>
    public AnswerBody? ClientBody { get; set; }

    /// <summary>The time limit for sending the answer to the client.</summary>
    public SendingLimit Sending { get; }

    /// <summary>Runs all calls. Completes when each has ended, been skipped or been canceled.</summary>
    public ValueTask RunAsync()
    {
        if (_unfinished == 0)
            return default; // the answer needs none of them
        WatchClient();
        foreach (var call in Plan.Calls)
        {
            if (call.Needs.Length == 0 && Results[call.Index].State == CallState.Waiting)
                Start(call);
        }

        return new ValueTask(this, _done.Version);
    }

    /// <summary>Takes ownership of a body until the composition is over, and counts it.</summary>
    /// <exception cref="InsufficientMemoryException">The budget is exhausted.</exception>
    public void Track(AnswerBody body)
    {
        lock (_lock)
            _bodies.Add(body);
        body.TakeFrom(Parts.Memory);
    }

    /// <summary>Records the end of a call: calls that waited for it alone begin.</summary>
    public void Finished(CallResult result)
    {
        var call = result.Call;
        List<PlannedCall>? ready = null;
        lock (_lock)
        {
            Scope.Set(call.Index, result.Part.Value);
            result.Order = _ended++;
            if (Decisive is null && !IsClientGone && result.IsDecisive)
                Decisive = result;
            Ended?.Invoke(result); // after the decision: the callback may read it immediately, on another thread
            foreach (var next in call.NeededBy)
            {
                if (--_missing[next] == 0)
                    (ready ??= []).Add(Plan.Calls[next]);
            }
        }

        if (Decisive == result)
            Ongoing.CutOffAll();
        foreach (var next in ready ?? [])
            Start(next);
        lock (_lock)
        {
            if (--_unfinished > 0)
                return;
            _isOver = true;
        }

        UnwatchClient();
        _done.SetResult(true);
    }

    /// <summary>
    /// Fails a call that had succeeded: its value does not fit its place in the answer. The value becomes that of its fallback.
    /// </summary>
    public void FailLate(CallResult result, GatewayError error)
    {
        lock (_lock)
        {
            foreach (var write in result.Writes ?? [])
                write.IsLost = true;
            result.State = CallState.Failed;
            result.Error = error;
            result.Part = result is { Call.FallbackValue: { } value, Call.Config.Optional: true }
                ? JsonPart.Of(AnswerReader.Parse(value, Documents))
                : JsonPart.Null;
            result.Source = result.Part.IsNull ? null : "value";
            if (Decisive is null && !IsClientGone && result.IsDecisive)
                Decisive = result;
        }

        if (Decisive == result)
            Ongoing.CutOffAll();
    }

    /// <summary>Starts the undo phase: its requests are not cut off and do not count against limits.</summary>
    public void BeginUndoing()
    {
        Ongoing = new OngoingRequests();
        Spent.Unlimit();
    }

    /// <summary>Releases everything that the answer was made of. It must not be accessed afterwards.</summary>
    public void Release()
    {
        foreach (var document in Documents)
            document.Dispose(); // before the memory that is reserved for them
        foreach (var body in _bodies)
            body.Release();
        ClientBody?.Release();
        Fields.Release();
    }

    void IValueTaskSource.GetResult(short token) => _done.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _done.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _done.OnCompleted(continuation, state, token, flags);

    private void Start(PlannedCall call)
    {
        var callRun = new CallRun(this, Results[call.Index]);
        if (Ongoing.IsCutOff)
            callRun.GiveUp();
        else
            _ = callRun.RunAsync();
    }

    private void WatchClient()
    {
        if (Exchange.ClientConnection is { } client)
            client.Watch(this);
        else
            _abortRegistration = Exchange.Aborted.UnsafeRegister(OnAborted, this);
    }

    private void UnwatchClient()
    {
        Exchange.ClientConnection?.Watch(null);
        _abortRegistration.Dispose();
    }

    /// <summary>Handles a client disconnect: requests in progress are cut off, and performed writes are undone.</summary>
    public void ClientDisconnected()
    {
        lock (_lock)
        {
            if (_isOver)
                return;
            IsClientGone = true;
        }

        Ongoing.CutOffAll();
    }
}
