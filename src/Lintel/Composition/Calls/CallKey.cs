using System.Buffers;
using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using Lintel.Config;
using Lintel.Services;

namespace Lintel.Composition.Calls;

/// <summary>
/// What tells requests apart whose answers are kept or shared: the request as it is sent, to whom, and how its answer is read.
/// </summary>
/// <remarks>
/// Everything that the service sees is in it: method, target, <c>Host</c> and all fields, the client's and the gateway's own
/// (<c>X-Forwarded-*</c>, <c>Forwarded</c>, <c>Via</c>, <c>User-Agent</c>, …). What is left out is listed here and nowhere else:
/// <see cref="Unkeyed"/>. Hashed, so that credentials are not kept with the answers, and by SHA-256, so that nobody makes two requests
/// meet.
/// </remarks>
internal static class CallKey
{
    /// <summary>
    /// Fields that a request is sent with and that are no part of its key: those that name the request and not what it asks, the condition
    /// for an answer that is kept, and those of one connection.
    /// </summary>
    private static readonly FrozenSet<string> Unkeyed = new[]
    {
        "traceparent",
        "tracestate",
        "baggage",
        "If-None-Match",
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Content-Length",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>The key of a request.</summary>
    public static string Of(CompositionRun run, CallRequest request, AnswerFormat format)
    {
        var text = new StringBuilder(512);
        text.Append(request.Service.Identity)
            .Append('\n')
            .Append(request.Method)
            .Append(' ')
            .Append(request.Target)
            .Append('\n')
            .Append(format)
            .Append('\n');
        if (request.Service.Config.Host == "request")
            text.Append("Host:").Append(run.Exchange.Host).Append('\n');
        foreach (var (name, values) in run.Fields.ListFor(request))
        {
            if (!Unkeyed.Contains(name))
                text.Append(name).Append(':').Append(values.ToString()).Append('\n');
        }

        foreach (var (name, value) in request.Headers ?? [])
        {
            if (!Unkeyed.Contains(name))
                text.Append(name).Append(':').Append(value).Append('\n');
        }

        return HashOf(text);
    }

    /// <summary>
    /// Whether equal keys mean that an answer's <c>Vary</c> holds too (RFC 9111 section 4.1): a field that the key has is equal, and one
    /// that is not sent at all is absent from both.
    /// </summary>
    /// <param name="vary">The answer's field; <see langword="null"/> for none.</param>
    /// <param name="service">Who answered.</param>
    public static bool Covers(string? vary, Service service)
    {
        if (vary is null)
            return true;
        foreach (var range in vary.AsSpan().Split(','))
        {
            var name = vary.AsSpan()[range].Trim().ToString();
            if (
                name == "*"
                || Unkeyed.Contains(name)
                || (service.Config.Host == "instance" && name.Equals("Host", StringComparison.OrdinalIgnoreCase))
            )
                return false;
        }

        return true;
    }

    private static string HashOf(StringBuilder text)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        try
        {
            var count = Encoding.UTF8.GetBytes(text.ToString(), bytes);
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(bytes.AsSpan(0, count), hash);
            return Convert.ToBase64String(hash);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes, clearArray: true);
        }
    }
}
