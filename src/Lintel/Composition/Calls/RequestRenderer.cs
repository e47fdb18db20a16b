using System.Buffers;
using Lintel.Composition.Merge;
using Lintel.Composition.Plan;
using Lintel.Errors;
using Lintel.JmesPath;

namespace Lintel.Composition.Calls;

/// <summary>Fills in the placeholders of a request.</summary>
internal static class RequestRenderer
{
    /// <summary>Renders a request.</summary>
    /// <param name="run">The composition run, with the client's request and body.</param>
    /// <param name="call">The call that it belongs to.</param>
    /// <param name="planned">The compiled request.</param>
    /// <param name="scope">The values that its references see.</param>
    /// <param name="request">The rendered request.</param>
    /// <returns>The error if it cannot be rendered.</returns>
    public static GatewayError? Render(
        CompositionRun run,
        PlannedCall call,
        PlannedRequest planned,
        in Value scope,
        out CallRequest? request
    )
    {
        request = null;
        var exchange = run.Exchange;
        var inputs = planned.References.Length == 0 ? null : new CallInputs(planned.References, scope);
        if (!planned.Target.TryRender(exchange, inputs, out var target, out var problem))
            return new GatewayError(
                inputs?.Unusable is { } unusable && !call.IsOfClient(unusable.Roots?.Select(r => r.Name))
                    ? GatewayErrorKind.MissingInput
                    : GatewayErrorKind.BadPlaceholder,
                problem
            );

        var type = planned.PassesBody ? exchange.Request.ContentType ?? "application/octet-stream" : "application/json";
        List<KeyValuePair<string, string>>? headers = null;
        foreach (var (name, template) in planned.Headers)
        {
            if (template.RenderForHeader(exchange) is not { Length: > 0 } value)
                continue;
            if (name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase))
                type = value;
            else
                (headers ??= []).Add(new(name, value));
        }

        if (Body(run, planned, scope, out var body) is { } error)
            return error.Kind == GatewayErrorKind.ExpressionFailed && call.IsOfClient(planned.Body!.Roots)
                ? error with
                {
                    Kind = GatewayErrorKind.BadPlaceholder,
                }
                : error;
        request = new CallRequest(call, planned.Service, planned.Config.Method, target)
        {
            Headers = headers,
            Body = body,
            ContentType = type,
        };
        return null;
    }

    private static GatewayError? Body(CompositionRun run, PlannedRequest planned, in Value scope, out ReadOnlyMemory<byte>? body)
    {
        body = null;
        if (planned.PassesBody)
        {
            body = run.ClientBody?.Memory ?? ReadOnlyMemory<byte>.Empty;
            return null;
        }

        if (planned.Body is not { } shape)
            return null;
        var pieces = new JsonPieces();
        if (shape.AddTo(pieces, new ShapeInput(scope)) is { } error)
            return error;
        if (!pieces.TryMeasure(Math.Min(run.Spent.BytesLeftToSend, Array.MaxLength / 2)) || !run.Spent.TryCountSent(pieces.Counted))
            return run.Spent.TooLong();
        var text = new ArrayBufferWriter<byte>((int)Math.Max(1, pieces.Length));
        pieces.WriteTo(text);
        body = text.WrittenMemory;
        return null;
    }
}
