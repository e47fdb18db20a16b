using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using System.Threading.Channels;
using Lintel.Composition.Calls;
using Lintel.Composition.Plan;
using Lintel.Errors;
using Lintel.Pipeline;

namespace Lintel.Composition.Merge;

/// <summary>
/// Streams an answer, each call's part as soon as it is available: as NDJSON, or as server-sent events if the client requests them.
/// </summary>
/// <remarks>
/// A line is an object with one property: the call's name and its value. The last one is <c>_composition</c>, with the content of the
/// header of that name; it is preceded by <c>_errors</c> if there are failures to report to the client. A value that is joined into another
/// call's list is sent with that list. The first line waits for the calls that have <c>passthrough</c>: until they have ended, a service's
/// own answer may become that of the composition.
/// </remarks>
internal sealed class StreamedAnswer(Exchange exchange, CallPlan plan)
{
    private readonly Channel<CallResult> _ended = Channel.CreateUnbounded<CallResult>(new UnboundedChannelOptions { SingleReader = true });
    private readonly bool _isEvents = exchange
        .Request.Headers.Accept.ToString()
        .Contains("text/event-stream", StringComparison.OrdinalIgnoreCase);
    private readonly HashSet<int> _known = [];
    private readonly List<PlannedCall> _ready = [];
    private bool _hasBegun;

    /// <summary>Records that a call has ended.</summary>
    public void Take(CallResult result) => _ended.Writer.TryWrite(result);

    /// <summary>Runs the calls and sends their parts.</summary>
    /// <param name="run">The composition run.</param>
    /// <param name="finish">Called when the calls have ended, in every case.</param>
    /// <param name="send">Sends an answer that is not a stream: a service's own.</param>
    public async ValueTask<GatewayError?> RunAsync(
        CompositionRun run,
        Func<ValueTask<GatewayError?>> finish,
        Func<ValueTask<GatewayError?>> send
    )
    {
        var running = run.RunAsync();
        try
        {
            for (var left = plan.Calls.Length; left > 0; left--)
            {
                var result = await _ended.Reader.ReadAsync().ConfigureAwait(false);
                _known.Add(result.Call.Index);
                if (result.State is not CallState.Canceled)
                    _ready.Add(Root(result.Call));
                if (!AwaitsPassthrough && run.Decisive is null && !run.IsClientGone)
                    await SendReadyAsync(run).ConfigureAwait(false);
            }
        }
        catch (Exception e)
        {
            run.ClientDisconnected(); // the stream has no end: it cannot be used
            await running.ConfigureAwait(false); // in every case: the calls own their memory until they have ended
            var failure = await finish().ConfigureAwait(false);
            if (failure is not null && e is OperationCanceledException or IOException)
                return failure;
            throw;
        }

        await running.ConfigureAwait(false);
        var error = await finish().ConfigureAwait(false);
        if (error is null && run.Decisive is { } passing)
        {
            if (!_hasBegun)
                return await send().ConfigureAwait(false);
            error = ComposeTarget.Describe(run, passing, passing.Error!);
        }

        if (error is not null && (!_hasBegun || run.IsClientGone))
            return error;
        if (!run.IsClientGone)
            await EndAsync(run).ConfigureAwait(false);
        if (run.IsClientGone)
            return new GatewayError(GatewayErrorKind.ClientAborted);
        exchange.IsErrorReported = error is not null;
        return error;
    }

    /// <summary>
    /// Whether a service's own answer may still become that of the composition: its status is not known before, and a stream that has begun
    /// already has one.
    /// </summary>
    private bool AwaitsPassthrough => Array.Exists(plan.Calls, c => c.Passthrough.Count > 0 && !_known.Contains(c.Index));

    private async ValueTask SendReadyAsync(CompositionRun run)
    {
        foreach (var call in _ready.Distinct())
            await SendAsync(run, call).ConfigureAwait(false);
        _ready.Clear();
    }

    /// <summary>Returns the call whose value contains a call's answers in the end.</summary>
    private PlannedCall Root(PlannedCall call)
    {
        while (call.FanOut?.Join is { } join)
            call = plan.Calls[join.Into];
        return call;
    }

    private async ValueTask SendAsync(CompositionRun run, PlannedCall call)
    {
        if (!Array.TrueForAll(plan.Calls, c => Root(c) != call || _known.Contains(c.Index)))
            return; // a value that is joined into it is still missing
        await OffLoop.ForMerge(run.Spent.BytesReceived);
        JsonMerge.Settle(run, j => Root(j) == call);
        var result = run.Results[call.Index];
        var text = new JsonPieces();
        text.Add(result.Part);
        if (await ComposedAnswer.MeasureAsync(run, text).ConfigureAwait(false) is { } tooLong)
        {
            run.FailLate(result, tooLong);
            text = new JsonPieces();
            text.Add(result.Part);
        }

        if (run.Decisive is null)
            await SendAsync(run, call.Name, text).ConfigureAwait(false);
    }

    private async ValueTask EndAsync(CompositionRun run)
    {
        if (Array.Exists(run.Results, r => r.Error is not null) && (run.Decisive is not null || plan.Answer.ReportsErrors))
        {
            var errors = new ArrayBufferWriter<byte>();
            JsonMerge.WriteErrors(run, errors);
            await SendAsync(run, "_errors", PiecesOf(errors.WrittenMemory)).ConfigureAwait(false);
        }

        await SendAsync(run, "_composition", PiecesOf(Encoding.ASCII.GetBytes("\"" + CompositionField.Render(run.Results) + "\"")))
            .ConfigureAwait(false);
    }

    private static JsonPieces PiecesOf(ReadOnlyMemory<byte> text)
    {
        var pieces = new JsonPieces();
        pieces.Add(text);
        return pieces;
    }

    private async ValueTask SendAsync(CompositionRun run, string name, JsonPieces value)
    {
        var response = exchange.Response;
        if (!_hasBegun)
        {
            _hasBegun = true;
            response.ContentType = _isEvents ? "text/event-stream" : "application/x-ndjson";
            response.Headers.CacheControl = "no-store";
            run.Pins.Settle(); // of the services that have answered so far
            ResponsePhase.Enter(exchange);
        }

        using var limit = run.Sending.Begin();
        var writer = response.BodyWriter;
        Write(writer, _isEvents ? "event: " : "{\"");
        Write(writer, name);
        Write(writer, _isEvents ? "\ndata: " : "\":");
        var line = new OneLine(writer);
        var isTaken = await value.WriteAsync(writer, line, exchange.Aborted).ConfigureAwait(false);
        exchange.ResponseBytes += value.Written;
        if (isTaken)
        {
            Write(writer, _isEvents ? "\n\n" : "}\n");
            isTaken = !(await writer.FlushAsync(exchange.Aborted).ConfigureAwait(false)).IsCompleted;
        }

        if (!isTaken)
            run.ClientDisconnected();
    }

    private void Write(PipeWriter writer, string text) => exchange.ResponseBytes += Encoding.ASCII.GetBytes(text, writer);

    /// <summary>
    /// Replaces line breaks with spaces: in JSON they occur between tokens only, so the meaning is the same, and the text stays on one
    /// line.
    /// </summary>
    private sealed class OneLine(IBufferWriter<byte> output) : IBufferWriter<byte>
    {
        private Memory<byte> _room;

        public void Advance(int count)
        {
            var written = _room.Span[..count];
            written.Replace((byte)'\n', (byte)' ');
            written.Replace((byte)'\r', (byte)' ');
            output.Advance(count);
            _room = default;
        }

        public Memory<byte> GetMemory(int sizeHint = 0) => _room = output.GetMemory(sizeHint);

        public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;
    }
}
