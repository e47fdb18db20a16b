using Lintel.Observability.Traces;
using Lintel.Pipeline;
using Lintel.Transport.Http1;
using Microsoft.Extensions.Primitives;

namespace Lintel.Forwarding;

/// <summary>Writes the head of a prepared request for an attempt over HTTP/1.1, up to the fields that frame its body.</summary>
internal static class Http1RequestHead
{
    /// <param name="connection">The connection to write to.</param>
    /// <param name="attempt">The attempt.</param>
    /// <param name="exchange">The client's exchange.</param>
    public static void Write(Http1Connection connection, in ForwardAttempt attempt, Exchange exchange)
    {
        var request = attempt.Request;
        connection.Begin(request.Method, attempt.Instance.BasePath, request.PathAndQuery);
        connection.AddField("Host", attempt.Service.HostFor(attempt.Instance, request.Host));
        foreach (var (name, values) in request.Headers)
        {
            if (!name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase)) // framing is written at the end of the head
                Add(connection, name, values);
        }

        if (request.SendsTraceContext)
        {
            Span<byte> text = stackalloc byte[TraceContext.TextLength];
            request.Trace.Write(text, attempt.Span);
            connection.AddField("traceparent"u8, text);
        }

        if (exchange.Upgrade is { } protocol)
        {
            connection.AddField("Connection"u8, "Upgrade"u8);
            connection.AddField("Upgrade", protocol);
        }

        if (exchange.HasBody && exchange.ExpectsContinue)
            connection.AddField("Expect"u8, "100-continue"u8); // the service may refuse before the client sends the body
    }

    private static void Add(Http1Connection connection, string name, StringValues values)
    {
        if (values.Count == 1)
        {
            connection.AddField(name, values[0] ?? "");
            return;
        }

        // HTTP/2 clients may split a cookie into pieces; HTTP/1.1 requires one line (RFC 9113 section 8.2.3).
        if (name.Equals("Cookie", StringComparison.OrdinalIgnoreCase))
        {
            connection.AddField(name, string.Join("; ", values.ToArray()));
            return;
        }

        foreach (var value in values)
            connection.AddField(name, value ?? "");
    }
}
