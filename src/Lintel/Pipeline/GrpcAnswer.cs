using System.Text;
using Lintel.Carriers;
using Lintel.Errors;
using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>Tells gRPC clients of an error the gateway made. They look for <c>grpc-status</c>, not for HTTP's status or a body.</summary>
internal static class GrpcAnswer
{
    public const string Status = "grpc-status";

    public const string Message = "grpc-message";

    /// <summary>
    /// An answer without messages («Trailers-Only» of gRPC's PROTOCOL-HTTP2.md): the headers have the status. Clients of gRPC-Web take it
    /// too.
    /// </summary>
    public static void Fill(ClientResponse response, GatewayError error, string proxyName, GrpcMediaType media)
    {
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = media.Text;
        response.Headers.CacheControl = "no-store"; // a status of 200 must not make the error a cache's
        if (error.Rule.ProxyStatus is { } type)
            response.Headers["Proxy-Status"] = $"{proxyName}; error={type}";
        Tell(response.Headers, error);
    }

    /// <summary>Writes status and message into headers or trailers.</summary>
    public static void Tell(IHeaderDictionary headers, GatewayError error)
    {
        headers[Status] = error.Rule.GrpcStatus.ToString(System.Globalization.CultureInfo.InvariantCulture);
        headers[Message] = MessageOf(error);
    }

    /// <summary>The error's title and detail, in the encoding of <c>grpc-message</c>.</summary>
    public static string MessageOf(GatewayError error) =>
        Encode(error.Detail is { } detail ? error.Rule.Title + ": " + detail : error.Rule.Title);

    /// <summary>
    /// Percent-Encoded of PROTOCOL-HTTP2.md: printable ASCII but for the percent sign stays, every other byte of the UTF-8 text is escaped.
    /// </summary>
    public static string Encode(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~') && !text.Contains('%'))
            return text;
        var encoded = new StringBuilder(text.Length + 16);
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            if (b is >= (byte)' ' and <= (byte)'~' and not (byte)'%')
                encoded.Append((char)b);
            else
                encoded.Append('%').Append(b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }

        return encoded.ToString();
    }
}
