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
    private readonly string _contentType = FieldText.ToBytes(config.ContentType);

    private readonly byte[] _body = Encoding.UTF8.GetBytes(config.Body);

    public override ValueTask<GatewayError?> RunAsync(Exchange exchange)
    {
        var response = exchange.Response;
        response.StatusCode = config.Status;
        foreach (var (name, template) in headers)
        {
            if (template.RenderForHeader(exchange) is { Length: > 0 } value)
                response.Headers.Append(name, value);
        }

        return AnswerContent.WriteAsync(exchange, _contentType, _body);
    }
}
