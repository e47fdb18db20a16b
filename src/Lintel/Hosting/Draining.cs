using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Hosting;

/// <summary>What clients are told by a gateway that is about to stop.</summary>
internal static class Draining
{
    /// <summary>
    /// A kept connection is the reason for most requests that meet a closing gateway: its client is told to make a new one, elsewhere.
    /// </summary>
    public static void RequestReconnect(HttpContext context)
    {
        if (!HttpProtocol.IsHttp11(context.Request.Protocol) && !HttpProtocol.IsHttp10(context.Request.Protocol))
            context.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose(); // GOAWAY
        else if (context.Features.Get<IHttpUpgradeFeature>() is not { IsUpgradableRequest: true })
            context.Response.OnStarting(Close, context.Response); // errors clear the headers that were set before

        static Task Close(object response)
        {
            ((HttpResponse)response).Headers.Connection = "close";
            return Task.CompletedTask;
        }
    }
}
