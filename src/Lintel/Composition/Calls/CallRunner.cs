using System.Text.Json;
using System.Threading.Tasks.Sources;
using Lintel.Composition.Answers;
using Lintel.Composition.Merge;
using Lintel.Composition.Plan;
using Lintel.Errors;
using Lintel.JmesPath;
using Lintel.Observability.Logs;
using Lintel.Observability.Metrics;
using Lintel.Pipeline;
using Lintel.Services.Attempts;
using Lintel.Transport.Loop;
using Lintel.Transport.Memory;

namespace Lintel.Composition.Calls;

/// <summary>What composed answers share.</summary>
internal sealed record CompositionParts(
    AttemptParts Attempts,
    CompositionMetrics Compositions,
    AnswerStore Store,
    SharedRequests Shared,
    MemoryBudget Memory
)
{
    public ErrorLog Errors => Attempts.Errors;

    public TimeProvider Time => Attempts.Time;
}

/// <summary>Runs the calls of one composed answer: each as soon as what it needs is there, on the thread on which that came.</summary>
/// <remarks>
/// Thread rule: calls end on any thread; a lock orders what they do to the plan's progress, and no call is started under it.
/// </remarks>
internal sealed class CallRunner : IValueTaskSource, IClientWatch
{
    private static readonly Action<object?> Left = static runner => ((CallRunner)runner!).ClientGone();

    private readonly Lock _lock = new();
    private readonly Value[] _values;
    private readonly int[] _missing;
    private readonly List<AnswerBody> _bodies = [];
    private readonly CallFields _fields;
    private Dictionary<string, TaskCompletionSource<CallOutcome>>? _asked;
    private ManualResetValueTaskSourceCore<bool> _done;
    private CancellationTokenRegistration _leaving;
    private int _unfinished;
    private int _ended;
    private int _requests;
    private int _promised;
    private int _writes;
    private long _bytes;
    private long _sent;
    private bool _isUndoing;
    private bool _isOver;

    public CallRunner(Exchange exchange, CallPlan plan, CompositionParts parts, TimeSpan deadline)
    {
        Exchange = exchange;
        Plan = plan;
        Parts = parts;
        Shape = plan.ShapeFor(exchange.Routed);
        Started = parts.Time.GetTimestamp();
        Due = Started + (long)(deadline.TotalSeconds * parts.Time.TimestampFrequency);
        _fields = CallFields.Of(exchange, plan.Forwarded);
        _values = new Value[plan.ScopeSize];
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

    public long Started { get; }

    /// <summary>When the whole answer is due.</summary>
    public long Due { get; }

    public CallResult[] Results { get; }

    /// <summary>Documents that values point into.</summary>
    public List<JsonDocument> Documents { get; } = [];

    /// <summary>The requests under way; replaced for those that undo others, which go on when everything else is cut off.</summary>
    public OngoingRequests Ongoing { get; private set; } = new();

    /// <summary>The call whose end decides the answer: a required one that failed, or one whose status passes through.</summary>
    public CallResult? Decisive { get; private set; }

    public bool HasClientLeft { get; private set; }

    /// <summary>Told of each call that ends, in the order in which they end; for answers that are sent piece by piece.</summary>
    public Action<CallResult>? Ended { get; init; }

    /// <summary>The client's body, where the plan reads it.</summary>
    public AnswerBody? ClientBody { get; set; }

    /// <summary>What all calls get of the client's fields, and the gateway's own.</summary>
    public CallFields Fields => _fields;

    public int Requests => Volatile.Read(ref _requests);

    public TimeSpan Until(long due) => Until(due, Parts.Time.GetTimestamp());

    public TimeSpan Until(long due, long now)
    {
        var left = due - now;
        return left <= 0
            ? TimeSpan.Zero
            : TimeSpan.FromTicks((long)(left * ((double)TimeSpan.TicksPerSecond / Parts.Time.TimestampFrequency)));
    }

    public long DueAfter(TimeSpan? timeout, long now) => timeout is { } own ? Math.Min(Due, now + Ticks(own)) : Due;

    /// <summary>Lays requests aside that are to follow, before the first of them is sent.</summary>
    /// <returns>False where there are not as many left: then none should be sent.</returns>
    public bool TryPromise(int count)
    {
        if (Interlocked.Add(ref _promised, count) + Requests <= Plan.Limits.Requests)
            return true;
        Interlocked.Add(ref _promised, -count);
        return false;
    }

    /// <summary>One of the requests that were laid aside is about to be sent.</summary>
    public void Redeem() => Interlocked.Decrement(ref _promised);

    /// <summary>
    /// Until when the answer to a write that can be undone is awaited: its own time, and at most as long after the deadline as undoing it
    /// may take.
    /// </summary>
    public long AwaitedUntil(TimeSpan? timeout, TimeSpan undoing, long now)
    {
        var last = Due + Ticks(undoing);
        return timeout is { } own ? Math.Min(last, now + Ticks(own)) : last;
    }

    public bool TryCountRequest() => Interlocked.Increment(ref _requests) <= Plan.Limits.Requests || _isUndoing;

    public bool TryCountBytes(int count) => Interlocked.Add(ref _bytes, count) <= Plan.Limits.Total || _isUndoing;

    /// <summary>The place of a write in the order in which they end.</summary>
    public int NextWrite() => Interlocked.Increment(ref _writes);

    /// <summary>What services have answered so far, in bytes.</summary>
    public long BytesReceived => Volatile.Read(ref _bytes);

    /// <summary>
    /// How much may still be written of what is made of the answers, in bytes: a join, a shape or a request's body may hold one part many
    /// times.
    /// </summary>
    public long BytesLeftToSend => _isUndoing ? long.MaxValue : Math.Max(0, Plan.Limits.Total - Volatile.Read(ref _sent));

    public bool TryCountSent(long count) => Interlocked.Add(ref _sent, count) <= Plan.Limits.Total || _isUndoing;

    /// <summary>What is made of the answers is longer than what may be written.</summary>
    public GatewayError TooLong() =>
        new(GatewayErrorKind.AnswerTooLarge, $"the data composed from the services' responses exceeds {Plan.Limits.Total} bytes");

    /// <summary>Whether the client was cut off because it did not take its answer in time.</summary>
    public bool IsSendingOver { get; private set; }

    /// <summary>
    /// The client has so much time for what is sent now, until the result is disposed of: what the answer is made of is held until it has
    /// it.
    /// </summary>
    public ITimer LimitSending() =>
        Parts.Time.CreateTimer(static runner => ((CallRunner)runner!).StopSending(), this, Plan.Limits.Send, Timeout.InfiniteTimeSpan);

    private void StopSending()
    {
        IsSendingOver = true;
        Exchange.Request.Abort();
    }

    /// <summary>Runs all calls. Ends when each has ended, been skipped or been given up.</summary>
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

    /// <summary>The scope of a call's expressions.</summary>
    public Value Scope() => Value.Object(Plan.Scope, _values);

    /// <summary>The scope of one item's request.</summary>
    public Value Scope(in Value item, in Value items)
    {
        var values = (Value[])_values.Clone();
        values[Plan.ItemSlot] = item;
        values[Plan.ItemSlot + 1] = items;
        return Value.Object(Plan.Scope, values);
    }

    /// <summary>The scope of what undoes a request: of its call it sees the answer to that request alone.</summary>
    public Value Scope(PerformedWrite write)
    {
        var values = (Value[])_values.Clone();
        values[write.Result.Call.Index] = write.Answer;
        values[Plan.ItemSlot] = write.Item;
        values[Plan.ItemSlot + 1] = write.Items;
        return Value.Object(Plan.Scope, values);
    }

    public void Set(int slot, in Value value) => _values[slot] = value;

    /// <summary>The body is this answer's until it is over, and counts as such.</summary>
    /// <exception cref="InsufficientMemoryException">The budget has no more.</exception>
    public void Own(AnswerBody body)
    {
        lock (_lock)
            _bodies.Add(body);
        body.TakeFrom(Parts.Memory);
    }

    /// <summary>Whether another call of this answer has asked the same already; who has not will be asked by others.</summary>
    public bool HasAsked(string key, out TaskCompletionSource<CallOutcome> asked)
    {
        lock (_lock)
        {
            _asked ??= new Dictionary<string, TaskCompletionSource<CallOutcome>>(StringComparer.Ordinal);
            if (_asked.TryGetValue(key, out asked!))
                return true;
            _asked[key] = asked = new TaskCompletionSource<CallOutcome>();
            return false;
        }
    }

    /// <summary>A call has ended: those that waited for it alone begin.</summary>
    public void Finished(CallResult result)
    {
        var call = result.Call;
        List<PlannedCall>? ready = null;
        lock (_lock)
        {
            _values[call.Index] = result.Part.Value;
            result.Order = _ended++;
            if (Decisive is null && !HasClientLeft && IsDecisive(result))
                Decisive = result;
            Ended?.Invoke(result); // after what it decides: who is told may look at once, on another thread
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
    /// A call that succeeded has failed after all: its value does not fit its place in the answer. The value is what its fallback says.
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
            if (Decisive is null && !HasClientLeft && IsDecisive(result))
                Decisive = result;
        }

        if (Decisive == result)
            Ongoing.CutOffAll();
    }

    /// <summary>From now on requests run that nobody cuts off, and that no limit counts: they undo what others did.</summary>
    public void BeginUndoing()
    {
        Ongoing = new OngoingRequests();
        _isUndoing = true;
    }

    /// <summary>The answer's own deadline may be what undoing follows on.</summary>
    public long DueOfUndoing(TimeSpan timeout) => Parts.Time.GetTimestamp() + Ticks(timeout);

    /// <summary>Nobody will read the answer any more: what is under way is cut off, and what was done undone.</summary>
    public void Abandon() => ClientGone();

    /// <summary>Gives back all that the answer was made of. Nothing may look at it any more.</summary>
    public void Release()
    {
        foreach (var document in Documents)
            document.Dispose(); // before the memory that is counted for them
        foreach (var body in _bodies)
            body.Release();
        ClientBody?.Release();
        _fields.Release();
    }

    void IValueTaskSource.GetResult(short token) => _done.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _done.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _done.OnCompleted(continuation, state, token, flags);

    /// <summary>A required call that failed, or a status that passes through.</summary>
    private static bool IsDecisive(CallResult result) =>
        result.State == CallState.Failed
        && (!result.Call.Config.Optional || (result.Status is { } status && result.Call.Passthrough.Contains(status)));

    private long Ticks(TimeSpan time) => (long)(time.TotalSeconds * Parts.Time.TimestampFrequency);

    private void Start(PlannedCall call)
    {
        var run = new CallRun(this, Results[call.Index]);
        if (Ongoing.IsCutOff)
            run.GiveUp();
        else
            _ = run.RunAsync();
    }

    private void WatchClient()
    {
        if (Exchange.ClientConnection is { } client)
            client.Watch(this);
        else
            _leaving = Exchange.Aborted.UnsafeRegister(Left, this);
    }

    private void UnwatchClient()
    {
        Exchange.ClientConnection?.Watch(null);
        _leaving.Dispose();
    }

    /// <inheritdoc/>
    public void ClientGone()
    {
        lock (_lock)
        {
            if (_isOver)
                return;
            HasClientLeft = true;
        }

        Ongoing.CutOffAll();
    }
}
