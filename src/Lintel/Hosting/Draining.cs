using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Hosting;

/// <summary>Notifies clients of a gateway that is about to stop.</summary>
internal static class Draining
{
    /// <summary>
    /// Requests the client to reconnect elsewhere: most requests that reach a closing gateway come over a kept connection.
    /// </summary>
    public static void RequestReconnect(HttpContext context)
    {
        if (!HttpProtocol.IsHttp11(context.Request.Protocol) && !HttpProtocol.IsHttp10(context.Request.Protocol))
            context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose(); // GOAWAY
        else if (context.Features.Get<IHttpUpgradeFeature>() is not { IsUpgradableRequest: true })
            context.Response.OnStarting(Close, context.Response); // errors clear headers that were set before

        static Task Close(object response)
        {
            ((HttpResponse)response).Headers.Connection = "close";
            return Task.CompletedTask;
        }
    }
}
