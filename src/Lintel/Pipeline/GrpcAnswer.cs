using System.Text;
using Lintel.Carriers;
using Lintel.Errors;
using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>
/// Reports errors of the gateway to gRPC clients, which evaluate <c>grpc-status</c> and neither the HTTP status nor the body.
/// </summary>
internal static class GrpcAnswer
{
    public const string Status = "grpc-status";

    public const string Message = "grpc-message";

    /// <summary>
    /// Fills in a response without messages («Trailers-Only» of gRPC's PROTOCOL-HTTP2.md): the status is in the headers. gRPC-Web clients
    /// accept it too.
    /// </summary>
    public static void Fill(ClientResponse response, GatewayError error, string proxyName, GrpcMediaType media)
    {
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = media.Text;
        response.Headers.CacheControl = "no-store"; // the status is 200: keeps caches from storing the error
        if (error.Rule.ProxyStatus is { } type)
            response.Headers["Proxy-Status"] = $"{proxyName}; error={type}";
        if (error.Challenges.Count > 0)
            response.Headers.WWWAuthenticate = error.Challenges.ToArray();
        WriteStatus(response.Headers, error);
    }

    /// <summary>Writes status and message into headers or trailers.</summary>
    public static void WriteStatus(IHeaderDictionary headers, GatewayError error)
    {
        headers[Status] = error.Rule.GrpcStatus.ToString(System.Globalization.CultureInfo.InvariantCulture);
        headers[Message] = MessageOf(error);
    }

    /// <summary>The error's title and detail, in the encoding of <c>grpc-message</c>.</summary>
    public static string MessageOf(GatewayError error) =>
        Encode(error.Detail is { } detail ? error.Rule.Title + ": " + detail : error.Rule.Title);

    /// <summary>
    /// Encodes as Percent-Encoded of PROTOCOL-HTTP2.md: printable ASCII except the percent sign is kept, every other byte of the UTF-8 text
    /// is escaped.
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
