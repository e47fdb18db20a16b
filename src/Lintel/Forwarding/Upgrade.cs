using System.Net;
using Lintel.Pipeline;
using Lintel.Transport.Http1;
using Microsoft.AspNetCore.Http;

namespace Lintel.Forwarding;

/// <summary>
/// Switching protocols: by <c>Upgrade</c> in HTTP/1.1 to what the route allows, by extended CONNECT (RFC 8441) in HTTP/2 to WebSocket.
/// </summary>
internal static class Upgrade
{
    /// <summary>
    /// What is wrong with an answer; <see langword="null"/> where it is a proper switch, or a refusal that passes like any answer.
    /// </summary>
    public static string? Problem(Exchange exchange, HttpResponseMessage response)
    {
        if (response.StatusCode == HttpStatusCode.SwitchingProtocols)
        {
            if (exchange.Upgrade is not { } asked)
                return "the service switched protocols without a request for it";
            return Names(response, "Upgrade", asked) && Names(response, "Connection", "upgrade")
                ? null
                : "the service switched to a protocol that was not requested";
        }

        // To a client of RFC 8441 any 2xx means that the tunnel is open.
        if (!exchange.IsExtendedConnect || !response.IsSuccessStatusCode)
            return null;
        return response.Version.Major == 2 && response.StatusCode == HttpStatusCode.OK
            ? null
            : $"the service responded with {(int)response.StatusCode} and did not switch protocols";
    }

    /// <summary>The same, for an answer of HTTP/1.1 to a request that went over HTTP/1.1.</summary>
    /// <param name="asked">The protocol that the service was asked for; <see langword="null"/> for none.</param>
    /// <param name="head">The answer.</param>
    public static string? Problem(string? asked, ResponseHead head)
    {
        if (head.Status != StatusCodes.Status101SwitchingProtocols)
            return null;
        if (asked is null)
            return "the service switched protocols without a request for it";
        var (upgrade, connection) = (false, false);
        for (var i = 0; i < head.Count; i++)
        {
            upgrade |= head[i].Name.Equals("Upgrade", StringComparison.OrdinalIgnoreCase) && Names(head[i].Value, asked);
            connection |= head[i].Name.Equals("Connection", StringComparison.OrdinalIgnoreCase) && Names(head[i].Value, "upgrade");
        }

        return upgrade && connection ? null : "the service switched to a protocol that was not requested";
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
