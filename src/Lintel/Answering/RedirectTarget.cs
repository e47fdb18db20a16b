using Lintel.Errors;
using Lintel.Pipeline;

namespace Lintel.Answering;

/// <summary>Redirects the client.</summary>
internal sealed class RedirectTarget(Location location, int status) : Target
{
    public override ValueTask<GatewayError?> RunAsync(Exchange exchange)
    {
        if (!location.TryRender(exchange, out var address, out var problem))
            return new(new GatewayError(GatewayErrorKind.BadPlaceholder, problem));
        exchange.Response.StatusCode = status;
        exchange.Response.Headers.Location = address;
        exchange.Response.ContentLength = 0;
        return default;
    }
}
