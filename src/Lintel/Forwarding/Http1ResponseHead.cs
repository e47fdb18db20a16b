using Lintel.Pipeline;
using Lintel.Transport.Http1;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Lintel.Forwarding;

/// <summary>Copies the head of an HTTP/1.1 response to the client's response.</summary>
internal static class Http1ResponseHead
{
    /// <summary>Returns all fields of a head.</summary>
    public static KeyValuePair<string, string>[] Fields(ResponseHead head)
    {
        var fields = new KeyValuePair<string, string>[head.Count];
        for (var i = 0; i < fields.Length; i++)
            fields[i] = KeyValuePair.Create(head[i].Name, head[i].Value);
        return fields;
    }

    /// <summary>Returns the value of <c>Retry-After</c>; <see langword="null"/> if there is none.</summary>
    public static string? RetryAfter(ResponseHead head)
    {
        for (var i = 0; i < head.Count; i++)
        {
            if (head[i].Name.Equals("Retry-After", StringComparison.OrdinalIgnoreCase))
                return head[i].Value;
        }

        return null;
    }

    /// <param name="head">The head received.</param>
    /// <param name="exchange">The client's exchange.</param>
    /// <returns>Whether content may follow.</returns>
    public static bool Pass(ResponseHead head, Exchange exchange)
    {
        var response = exchange.Response;
        response.StatusCode = head.Status;
        var headers = response.Headers;
        var nominated = head.NominatesFields ? Nominated(head) : null;
        var lengths = 0UL; // of the names that were passed on, modulo 64
        for (var i = 0; i < head.Count; i++)
        {
            var (name, value) = head[i];
            if (!HeaderRules.KeepsResponse(name) || (nominated is not null && nominated.Contains(name)))
                continue;

            // A name with a new length is a new name: no lookup in the server's table is needed.
            var length = 1UL << name.Length;
            if ((lengths & length) == 0)
                headers[name] = value;
            else
                headers.Append(name, value);
            lengths |= length;
        }

        if (head.Status is StatusCodes.Status101SwitchingProtocols or StatusCodes.Status426UpgradeRequired || head.Reason is not null)
            PassUnusual(head, exchange);
        return ResponsePhase.Enter(exchange);
    }

    private static void PassUnusual(ResponseHead head, Exchange exchange)
    {
        var headers = exchange.Response.Headers;
        if (head.Status == StatusCodes.Status101SwitchingProtocols)
        {
            headers.Connection = "Upgrade";
            headers.Upgrade = exchange.Upgrade;
        }

        if (!exchange.Request.IsHttp11)
            return;
        if (head.Reason is { } reason)
            exchange.Response.ReasonPhrase = reason;
        foreach (var (name, value) in Fields(head))
        {
            if (!HeaderRules.IsRequiredUpgrade(name, head.Status))
                continue;
            headers.Append("Upgrade", value);
            headers.Connection = "Upgrade";
        }
    }

    private static HashSet<string>? Nominated(ResponseHead head)
    {
        var connection = StringValues.Empty;
        for (var i = 0; i < head.Count; i++)
        {
            if (head[i].Name.Equals("Connection", StringComparison.OrdinalIgnoreCase))
                connection = StringValues.Concat(connection, head[i].Value);
        }

        return connection.Count == 0 ? null : HeaderRules.Nominated(connection);
    }
}
