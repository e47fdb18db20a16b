using System.Buffers;
using System.Text;
using Lintel.Carriers;
using Lintel.Errors;

namespace Lintel.Pipeline;

/// <summary>
/// Checks of HTTP/2 and HTTP/3 requests that Kestrel (10.0) omits and another hop could interpret differently (RFC 9113 section 8.2, RFC
/// 9114 section 4.2).
/// </summary>
/// <remarks>Done here and not in the gateway's own listeners, so that it applies inside another host as well.</remarks>
internal static class StreamCheck
{
    /// <summary>The value of a <c>Content-Length</c> that is not a number.</summary>
    public const long NoLength = long.MaxValue;

    private static readonly SearchValues<char> Method = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_");

    /// <summary>
    /// Why the request is refused; <see langword="null"/> if it is valid, and for HTTP/1.1, whose bytes are checked by <c>FramingGuard</c>.
    /// </summary>
    public static GatewayError? Check(Exchange exchange)
    {
        var request = exchange.Request;
        if (!request.IsStream)
            return null;
        if (CheckHead(request) is { } refusal)
            return refusal;
        if (exchange.HasBody)
            exchange.Framing = request.GuardBody();
        return null;
    }

    private static GatewayError? CheckHead(ClientRequest request)
    {
        if (request.Method.AsSpan().ContainsAnyExcept(Method))
            return Refuse("the method does not consist of upper-case letters");
        if (request.Host.Length == 0)
            return Refuse("the authority is missing");
        if (!HostSyntax.IsHost(request.Host))
            return Refuse("the authority is malformed");
        if (request.ContentLength == NoLength)
            return Refuse("Content-Length is not a number");
        foreach (var (name, values) in request.Headers)
        {
            if (FieldSyntax.Problem(name, values) is { } problem)
                return Refuse(problem);
            if (IsOfOneConnection(name))
                return Refuse("a connection-specific header of HTTP/1.1 is not allowed");
        }

        return null;
    }

    private static bool IsOfOneConnection(string name) =>
        name.Length switch
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
