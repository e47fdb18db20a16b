using System.Buffers;
using System.Text;
using System.Text.Json;
using Lintel.Composition.Answers;
using Lintel.Composition.Merge;
using Lintel.Composition.Plan;
using Lintel.Errors;
using Lintel.JmesPath;

namespace Lintel.Composition.Calls;

/// <summary>Runs a call for each item of a list: equal items are requested once, with a limit on concurrent requests.</summary>
internal sealed class FanOutRun(CompositionRun run, CallRun call, CallResult result, FanOut fanOut)
{
    private readonly PlannedCall _planned = result.Call;
    private List<(Value Item, Value Items)> _asks = [];
    private JsonPart[] _parts = [];
    private CallAnswer?[] _answers = [];
    private GatewayError? _error;
    private int _next = -1;
    private int _failed;
    private int _failedItems;

    /// <summary>Whether the answers are parsed: to be joined, reassembled from batches, or evaluated.</summary>
    private bool IsDocument => _planned.NeedsDocument || fanOut.Join is not null || fanOut.Batch > 0;

    /// <summary>Runs all requests.</summary>
    /// <returns>The error if there is no list; for an optional call only if none of its requests succeeded.</returns>
    public async ValueTask<GatewayError?> RunAsync()
    {
        if (Plan() is { } refusal)
            return refusal;
        _parts = new JsonPart[_asks.Count];
        _answers = new CallAnswer?[_asks.Count];
        var workers = Math.Min(fanOut.Concurrency, _asks.Count);
        var running = new Task[workers];
        for (var i = 0; i < workers; i++)
            running[i] = WorkAsync();
        await Task.WhenAll(running).ConfigureAwait(false);

        // In the order of the items, not of arrival: the composed answer's tag is derived from theirs.
        result.Answers.AddRange(_answers.OfType<CallAnswer>());
        result.FailedItems = _failedItems;
        if (_error is not null && (!_planned.Config.Optional || _failed == _asks.Count))
            return _error;
        result.Error = _error;
        result.Part = IsDocument ? JsonPart.Of(Collect()) : JsonPart.OfText(Write());
        return null;
    }

    private GatewayError? Plan()
    {
        if (!fanOut.Items.TryEvaluate(run.Scope.Of(), out var list, out var problem))
            return _planned.ExpressionError(fanOut.Items, "forEach", problem);
        if (list.Kind is not (JsonValueKind.Array or JsonValueKind.Null))
            return _planned.ExpressionError(fanOut.Items, "forEach", "the result is not a list");

        var items = Distinct(list);
        result.Items = items.Count;
        if (items.Count > fanOut.MaxItems)
            return new GatewayError(
                _planned.IsOfClient(fanOut.Items.Roots?.Select(r => r.Name))
                    ? GatewayErrorKind.BadPlaceholder
                    : GatewayErrorKind.TooManyItems,
                $"`calls.{_planned.Name}.forEach` has {items.Count} distinct items, and the limit is {fanOut.MaxItems}"
            );
        _asks =
            fanOut.Batch == 0
                ? items.ConvertAll(i => (i, Value.Null))
                : [.. items.Chunk(fanOut.Batch).Select(chunk => (Value.Null, Value.Array(chunk)))];

        // Requests that another call of the composition has made are not repeated: the number of requests is known in advance only if none
        // can be.
        if (!_planned.MayRepeat && !run.Spent.TryPromise(_asks.Count))
            return new GatewayError(
                GatewayErrorKind.TooManyItems,
                $"`forEach` needs {_asks.Count} requests, and the limit for a composed response is {run.Plan.Limits.Requests}"
            );
        return null;
    }

    private static List<Value> Distinct(in Value list)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var items = new List<Value>();
        if (list.Kind == JsonValueKind.Null)
            return items;
        foreach (var item in new Elements(list))
        {
            if (item.Kind != JsonValueKind.Null && seen.Add(TextOf(item)))
                items.Add(item);
        }

        return items;
    }

    private static string TextOf(in Value item)
    {
        var text = new ArrayBufferWriter<byte>(64);
        item.WriteTo(text, long.MaxValue);
        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    private async Task WorkAsync()
    {
        while (Interlocked.Increment(ref _next) is var index && index < _asks.Count && !HasFailed)
        {
            _parts[index] = JsonPart.Null;
            var error = await AskAsync(index).ConfigureAwait(false);
            if (error is null)
                continue;
            Interlocked.Increment(ref _failed);
            if (error.Kind != GatewayErrorKind.ClientAborted) // canceled requests say nothing about the service
                Interlocked.Add(ref _failedItems, fanOut.Batch > 0 ? _asks[index].Items.Count : 1);
            Interlocked.CompareExchange(ref _error, error, null);
            if (HasFailed)
                run.Ongoing.CutOffAll();
        }
    }

    /// <summary>Whether the fan-out has failed: the first failure of a required call ends it, and the whole composition.</summary>
    private bool HasFailed => Volatile.Read(ref _error) is not null && !_planned.Config.Optional;

    private async ValueTask<GatewayError?> AskAsync(int index)
    {
        var (item, items) = _asks[index];
        if (!_planned.MayRepeat)
            run.Spent.Redeem();
        if (call.Render(_planned.Request, run.Scope.Of(item, items), out var request) is { } refusal)
            return refusal;
        var outcome = await call.FetchAsync(request).ConfigureAwait(false);
        _answers[index] = outcome.Answer;
        var error = call.Read(outcome, IsDocument, out var part);
        error = call.NoteWrite(outcome, part.Value, item, items, error);
        if (error is not null && !call.TryStale(request, outcome, error, IsDocument, out part))
            return error;
        if (part.IsNull && fanOut.Join is not null && _planned.Select is { } select && outcome.Answer is { Body.Length: > 0 })
            return new GatewayError(GatewayErrorKind.ExpressionFailed, $"a response has no value at `{select.Text}` to join");
        _parts[index] = part;
        return null;
    }

    private Value Collect()
    {
        if (fanOut.Batch == 0)
            return Value.Array(Array.ConvertAll(_parts, p => p.Value));
        var all = new List<Value>();
        foreach (var part in _parts)
        {
            if (part.Value.Kind == JsonValueKind.Array)
            {
                foreach (var item in new Elements(part.Value))
                    all.Add(item);
            }
            else if (part.Value.Kind != JsonValueKind.Null)
                all.Add(part.Value);
        }

        return Value.Array([.. all]);
    }

    private ReadOnlyMemory<byte> Write()
    {
        var body = new AnswerBody();
        run.Track(body);
        body.GetMemory(2 + _parts.Sum(p => p.Text.Length + 1)); // at once: growing would leave the same amount again in the pool
        body.Write("["u8);
        for (var i = 0; i < _parts.Length; i++)
        {
            if (i > 0)
                body.Write(","u8);
            _parts[i].WriteTo(body);
        }

        body.Write("]"u8);
        return body.Memory;
    }
}
