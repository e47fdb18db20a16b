using System.Net;
using Lintel.Transport.Http1;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Forwarding;

/// <summary>Switching to WebSocket: by <c>Upgrade</c> in HTTP/1.1, by extended CONNECT (RFC 8441) in HTTP/2. Other protocols are not offered to services.</summary>
internal static class Upgrade
{
    private const string WebSocket = "websocket";

    /// <summary>Whether the request asks for it.</summary>
    public static bool IsAsked(HttpContext context) =>
        (HttpMethods.IsConnect(context.Request.Method) && context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true })
        || (context.Request.Headers.Upgrade.Count > 0 && context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true } && WebSocket.Equals(context.Request.Headers.Upgrade, StringComparison.OrdinalIgnoreCase));

    /// <summary>What is wrong with an answer; <see langword="null"/> where it is a proper switch, or a refusal that passes like any answer.</summary>
    public static string? Problem(HttpContext context, HttpResponseMessage response)
    {
        if (response.StatusCode == HttpStatusCode.SwitchingProtocols)
        {
            if (!IsAsked(context))
                return "the service switched protocols without being asked";
            return Names(response, "Upgrade", WebSocket) && Names(response, "Connection", "upgrade") ? null : "the service switched to something that was not asked for";
        }

        // To a client of RFC 8441 any 2xx means that the tunnel is open.
        if (context.Features.Get<IHttpExtendedConnectFeature>() is not { IsExtendedConnect: true } || !response.IsSuccessStatusCode)
            return null;
        return response.Version.Major == 2 && response.StatusCode == HttpStatusCode.OK ? null : $"the service answered {(int)response.StatusCode} and did not switch protocols";
    }

    /// <summary>The same, for an answer of HTTP/1.1 to a request that went over HTTP/1.1.</summary>
    public static string? Problem(bool isAsked, ResponseHead head)
    {
        if (head.Status != StatusCodes.Status101SwitchingProtocols)
            return null;
        if (!isAsked)
            return "the service switched protocols without being asked";
        var (upgrade, connection) = (false, false);
        for (var i = 0; i < head.Count; i++)
        {
            upgrade |= head[i].Name.Equals("Upgrade", StringComparison.OrdinalIgnoreCase) && Names(head[i].Value, WebSocket);
            connection |= head[i].Name.Equals("Connection", StringComparison.OrdinalIgnoreCase) && Names(head[i].Value, "upgrade");
        }

        return upgrade && connection ? null : "the service switched to something that was not asked for";
    }

    private static bool Names(HttpResponseMessage response, string header, string name)
    {
        if (!response.Headers.NonValidated.TryGetValues(header, out var values))
            return false;
        foreach (var value in values)
        {
            if (Names(value, name))
                return true;
        }

        return false;
    }

    private static bool Names(ReadOnlySpan<char> list, string name)
    {
        foreach (var range in list.Split(','))
        {
            if (list[range].Trim().Equals(name, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }
}

/// <summary>A service's answer to a request to switch protocols cannot be passed on.</summary>
internal sealed class UpgradeException(string message) : Exception(message);
