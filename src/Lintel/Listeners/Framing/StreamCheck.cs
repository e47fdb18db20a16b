using System.Buffers;
using System.Text;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;

namespace Lintel.Listeners.Framing;

/// <summary>What Kestrel (10.0) lets pass of an HTTP/2 or HTTP/3 request and another hop could read differently (RFC 9113 section 8.2, RFC 9114 section 4.2).</summary>
internal static class StreamCheck
{
    private static readonly SearchValues<char> Token = SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    private static readonly SearchValues<char> Method = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_");

    /// <summary>Why the request is refused; <see langword="null"/> where nothing is wrong.</summary>
    public static GatewayError? Check(HttpRequest request)
    {
        if (request.Method.AsSpan().ContainsAnyExcept(Method))
            return Refuse("the method is not made of capitals");
        if (!request.Host.HasValue)
            return Refuse("the authority is missing");
        if (!HostSyntax.IsHost(RequestHost.Of(request)))
            return Refuse("the authority is malformed");
        foreach (var (name, _) in request.Headers)
        {
            if (name.AsSpan().ContainsAnyExcept(Token))
                return Refuse("a header's name is not a token");
            if (IsOfOneConnection(name))
                return Refuse("a header belongs to connections of HTTP/1.1");
        }

        return null;
    }

    private static bool IsOfOneConnection(string name) => name.Length switch
    {
        7 => Is(name, "Upgrade"),
        10 => Is(name, "Keep-Alive") || Is(name, "Connection"),
        16 => Is(name, "Proxy-Connection"),
        17 => Is(name, "Transfer-Encoding"),
        _ => false,
    };

    private static bool Is(string name, string other) => Ascii.EqualsIgnoreCase(name, other);

    private static GatewayError Refuse(string detail) => new(GatewayErrorKind.BadFraming, detail);
}
