using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Lintel.Carriers;
using Lintel.Errors;

namespace Lintel.Pipeline;

/// <summary>
/// Writes every error response of the gateway: <c>application/problem+json</c> (RFC 9457) and <c>Proxy-Status</c> (RFC 9209); for gRPC see
/// <see cref="GrpcAnswer"/>.
/// </summary>
internal static class ProblemWriter
{
    /// <summary>The media type of RFC 9457 section 6.1.</summary>
    public const string ContentType = "application/problem+json";

    /// <summary>Apostrophes and non-Latin scripts are not escaped: the JSON is never embedded in a page.</summary>
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Whether the errors of a request are reported as in gRPC: with status 200, and the outcome in <c>grpc-status</c>.</summary>
    public static bool IsGrpc(ClientRequest request) => GrpcMediaType.Of(request).Dialect != GrpcDialect.None;

    /// <summary>Fills a response with an error: status and headers, which the caller sends together with the content.</summary>
    /// <param name="response">A response that has not started and has no headers of the gateway.</param>
    /// <param name="error">The error. Its cause is not disclosed.</param>
    /// <param name="proxyName">The gateway's name, the first item of <c>Proxy-Status</c>: a token of RFC 9651.</param>
    /// <param name="traceId">The trace id that identifies the request in logs.</param>
    /// <param name="closes">Whether the connection closes after this response, because the bytes that follow on it cannot be
    /// framed.</param>
    /// <returns>The content; empty for gRPC, which reports everything in headers.</returns>
    public static ReadOnlyMemory<byte> Fill(
        ClientResponse response,
        GatewayError error,
        string proxyName,
        string traceId,
        bool closes = false
    )
    {
        if (GrpcMediaType.Of(response.Request) is { Dialect: not GrpcDialect.None } media)
        {
            GrpcAnswer.Fill(response, error, proxyName, media);
            return default;
        }

        var rule = error.Rule;
        response.StatusCode = rule.Status;
        if (rule.ProxyStatus is { } type)
            response.Headers["Proxy-Status"] = $"{proxyName}; error={type}";
        if (closes)
            response.Headers.Connection = "close";
        response.Headers.CacheControl = "no-store";
        if (rule.RetryAfter is { } seconds)
            response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        if (error.Challenges.Count > 0)
            response.Headers.WWWAuthenticate = error.Challenges.ToArray();
        foreach (var (name, value) in error.Headers)
            response.Headers[name] = value;
        var body = Content(error, traceId);
        response.ContentType = ContentType;
        response.ContentLength = body.Length;
        return body;
    }

    private static ReadOnlyMemory<byte> Content(GatewayError error, string traceId)
    {
        var rule = error.Rule;
        var body = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(body, Readable);
        json.WriteStartObject();
        json.WriteString("type"u8, rule.Type);
        json.WriteString("title"u8, rule.Title);
        json.WriteNumber("status"u8, rule.Status);
        if (error.Detail is { } detail)
            json.WriteString("detail"u8, detail);
        json.WriteString("traceId"u8, traceId);
        if (error.Faults.Count > 0)
            WriteFaults(json, error.Faults);
        json.WriteEndObject();
        json.Flush();
        return body.WrittenMemory;
    }

    private static void WriteFaults(Utf8JsonWriter json, IReadOnlyList<RequestFault> faults)
    {
        json.WriteStartArray("errors"u8);
        foreach (var (detail, part, place) in faults)
        {
            json.WriteStartObject();
            json.WriteString("detail"u8, detail);
            json.WriteString(part, place);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
