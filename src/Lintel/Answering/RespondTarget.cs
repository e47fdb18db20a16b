using System.Text;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Errors;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Answering;

/// <summary>Responds with the configured status, headers and body.</summary>
internal sealed class RespondTarget(RespondConfig config, (string Name, Template Value)[] headers) : Target
{
    /// <summary>Size of one write: written data is copied, and kept until the client has read it.</summary>
    private const int Piece = 64 * 1024;

    private readonly string _contentType = FieldText.ToBytes(config.ContentType);

    private readonly byte[] _body = Encoding.UTF8.GetBytes(config.Body);

    public override async ValueTask<GatewayError?> RunAsync(Exchange exchange)
    {
        var response = exchange.Response;
        response.StatusCode = config.Status;
        foreach (var (name, template) in headers)
        {
            if (template.RenderForHeader(exchange) is { Length: > 0 } value)
                response.Headers.Append(name, value);
        }

        if (!AnswerContent.Allows(config.Status))
        {
            ResponsePhase.Enter(exchange);
            return null;
        }

        if (_body.Length > 0)
            response.ContentType = _contentType;
        response.ContentLength = _body.Length;
        if (!ResponsePhase.Enter(exchange) || _body.Length == 0)
            return null;
        for (var at = 0; at < _body.Length; at += Piece)
        {
            var piece = _body.AsMemory(at, Math.Min(Piece, _body.Length - at));
            var taken = await response.BodyWriter.WriteAsync(piece, exchange.Aborted).ConfigureAwait(false);
            exchange.ResponseBytes += piece.Length;
            if (taken.IsCompleted)
                return new GatewayError(GatewayErrorKind.ClientAborted); // it no longer reads
        }

        return null;
    }
}
