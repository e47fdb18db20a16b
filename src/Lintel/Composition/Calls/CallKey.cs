using System.Buffers;
using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using Lintel.Config;
using Lintel.Services;

namespace Lintel.Composition.Calls;

/// <summary>
/// Computes the key of a request for storing or sharing its answer: the request as it is sent, its service, and how its answer is read.
/// </summary>
/// <remarks>
/// The key covers everything that the service receives: method, target, <c>Host</c> and all fields, the client's and the gateway's own
/// (<c>X-Forwarded-*</c>, <c>Forwarded</c>, <c>Via</c>, <c>User-Agent</c>, …). All exceptions are listed in <see cref="Unkeyed"/>. It is
/// hashed, so that credentials are not stored with the answers, and with SHA-256, so that collisions cannot be constructed.
/// </remarks>
internal static class CallKey
{
    /// <summary>
    /// Fields of a request that are not part of its key: those that identify the request and not what it requests, the condition for a
    /// stored answer, and connection-specific fields.
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

    /// <summary>Returns the key of a request.</summary>
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
    /// Whether equal keys imply that an answer's <c>Vary</c> matches too (RFC 9111 section 4.1): a field in the key is equal, and one that
    /// is never sent is absent from both.
    /// </summary>
    /// <param name="vary">The answer's field; <see langword="null"/> for none.</param>
    /// <param name="service">The service that answered.</param>
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
