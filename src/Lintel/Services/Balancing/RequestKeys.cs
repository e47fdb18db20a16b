using System.IO.Hashing;
using System.Runtime.InteropServices;
using Lintel.Config;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Services.Balancing;

/// <summary>Computes the keys of a service's requests.</summary>
/// <param name="hash">What is hashed; <see langword="null"/> for nothing.</param>
/// <param name="affinity">The cookie that names an instance; <see langword="null"/> for none.</param>
internal sealed class RequestKeys(ConsistentHashConfig? hash, Affinity? affinity)
{
    public RequestKey Of(Exchange exchange) => new(hash is null ? 0 : HashOf(exchange, hash), affinity?.PinOf(exchange) ?? 0);

    /// <summary>The hash of the request's property, the same on every node; 0 if it has none, or an empty one.</summary>
    private static ulong HashOf(Exchange exchange, ConsistentHashConfig by)
    {
        var headers = exchange.Request.Headers;
        if (by.Header is { } header)
            return headers.TryGetValue(header, out var values) ? HashOf(exchange.Bytes(values.ToString())) : 0;
        if (by.Cookie is { } cookie)
            return RequestCookies.TryFind(headers.Cookie, cookie, out var found) ? HashOf(found) : 0;
        if (by.Query is { } query)
            return HashOf(QueryValues.Find(exchange.Request.Query, query).ToString());
        if (by.Claim is { } claim)
            return HashOf(exchange.Claim(claim));
        Span<byte> bytes = stackalloc byte[16];
        return by.ClientIp && exchange.ClientAddress is { } address && address.TryWriteBytes(bytes, out var length)
            ? NotZero(bytes[..length])
            : 0;
    }

    private static ulong HashOf(ReadOnlySpan<char> text) => text.IsEmpty ? 0 : NotZero(MemoryMarshal.AsBytes(text));

    private static ulong NotZero(ReadOnlySpan<byte> bytes) => XxHash3.HashToUInt64(bytes) is var hash and not 0 ? hash : 1;
}
