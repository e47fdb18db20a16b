using Lintel.Carriers;
using Lintel.Config.Grammars;

namespace Lintel.Routing;

/// <summary>The properties of a request that routing uses.</summary>
/// <param name="Request">Method, host, header fields, query and cookies.</param>
/// <param name="Scheme"><c>http</c> or <c>https</c>: that of the connection, or as reported by a trusted proxy.</param>
/// <param name="Listener">The name of the listener that received it; <see langword="null"/> inside another host, which has its own.</param>
internal readonly record struct RoutedRequest(ClientRequest Request, string Scheme, string? Listener)
{
    /// <summary>The authority as the client sent it.</summary>
    public string Host => Request.Host;

    public static implicit operator RoutedRequest(ClientRequest request) => new(request, request.Scheme, null);

    /// <summary>A header's value as bytes: the gateway's own listeners decode headers as bytes, other servers as UTF-8.</summary>
    public string FieldBytes(string value) => Listener is null ? FieldText.ToBytes(value) : value;
}

/// <summary>The authority of a request.</summary>
internal static class RequestHost
{
    /// <summary>The host without its port.</summary>
    public static ReadOnlySpan<char> WithoutPort(ReadOnlySpan<char> host)
    {
        var colon = host.LastIndexOf(':');
        return colon >= 0 && host.LastIndexOf(']') < colon ? host[..colon] : host;
    }
}
