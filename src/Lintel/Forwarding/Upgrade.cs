using System.Net;
using Lintel.Pipeline;
using Lintel.Transport.Http1;
using Microsoft.AspNetCore.Http;

namespace Lintel.Forwarding;

/// <summary>
/// Handles protocol switches: by <c>Upgrade</c> in HTTP/1.1 to the protocols that the route allows, by extended CONNECT (RFC 8441) in
/// HTTP/2 to WebSocket.
/// </summary>
internal static class Upgrade
{
    /// <summary>
    /// Returns what is wrong with a response; <see langword="null"/> for a valid switch, or a refusal that is passed on like any response.
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

        // To an RFC 8441 client any 2xx means that the tunnel is open.
        if (!exchange.IsExtendedConnect || !response.IsSuccessStatusCode)
            return null;
        return response.Version.Major == 2 && response.StatusCode == HttpStatusCode.OK
            ? null
            : $"the service responded with {(int)response.StatusCode} and did not switch protocols";
    }

    /// <summary>Returns what is wrong with an HTTP/1.1 response to a request that was sent over HTTP/1.1.</summary>
    /// <param name="asked">The protocol requested from the service; <see langword="null"/> for none.</param>
    /// <param name="head">The response head.</param>
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

/// <summary>The service's response to a protocol switch cannot be passed on.</summary>
internal sealed class UpgradeException(string message) : Exception(message);
