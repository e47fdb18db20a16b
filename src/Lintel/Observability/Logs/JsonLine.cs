using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Lintel.Config.Grammars;

namespace Lintel.Observability.Logs;

/// <summary>A JSON object a line.</summary>
internal sealed class JsonLine(Redaction redaction, string[] headers) : LineFormat(redaction, headers)
{
    /// <summary>Other scripts stay readable; control characters and separators of lines are escaped all the same.</summary>
    private static readonly JsonWriterOptions Options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    private Utf8JsonWriter? _json;

    public override void Write(ArrayBufferWriter<byte> lines, in AccessRecord record)
    {
        var json = _json ??= new Utf8JsonWriter(lines, Options);
        json.Reset(lines);
        json.WriteStartObject();
        json.WriteString("time"u8, Time(record));
        json.WriteString("method"u8, record.Method);
        json.WriteString("host"u8, FieldText.ToText(record.Host));
        json.WriteString("path"u8, Path(record));
        if (Query(record) is { Length: > 0 } query)
            json.WriteString("query"u8, query);
        json.WriteString("protocol"u8, record.Protocol);
        json.WriteNumber("status"u8, record.Status);
        json.WriteNumber("requestBytes"u8, record.RequestBytes);
        json.WriteNumber("responseBytes"u8, record.ResponseBytes);
        json.WriteNumber("durationMs"u8, Rounded(record.Duration));
        if (record.Attempts > 0)
            json.WriteNumber("upstreamMs"u8, Rounded(record.Upstream));
        json.WriteNumber("gatewayMs"u8, Rounded(record.Gateway));
        if (record.Attempts > 0)
            json.WriteNumber("attempts"u8, record.Attempts);
        WriteOptional(json, "route"u8, record.Route);
        WriteOptional(json, "service"u8, record.Service);
        WriteOptional(json, "instance"u8, record.Instance);
        WriteOptional(json, "error"u8, record.Error);
        WriteOptional(json, "detail"u8, record.Detail);
        if (record.GrpcStatus is { } grpc)
            json.WriteNumber("grpcStatus"u8, grpc);
        json.WriteString("client"u8, Client(record) ?? "-");
        WriteOptional(json, "caller"u8, record.Caller);
        WriteOptional(json, "userAgent"u8, record.UserAgent is { } agent ? FieldText.ToText(agent) : null);
        json.WriteString("traceId"u8, record.TraceId);
        WriteHeaders(json, record);
        json.WriteEndObject();
        json.Flush();
        lines.Write("\n"u8);
    }

    private void WriteHeaders(Utf8JsonWriter json, in AccessRecord record)
    {
        if (Headers.Length == 0)
            return;
        json.WriteStartObject("headers"u8);
        for (var i = 0; i < Headers.Length; i++)
        {
            if (Header(record, i) is { } value)
                json.WriteString(Headers[i], FieldText.ToText(value)); // bytes; nearly always UTF-8
        }

        json.WriteEndObject();
    }

    private static double Rounded(TimeSpan time) => Math.Round(time.TotalMilliseconds, 3);

    private static void WriteOptional(Utf8JsonWriter json, ReadOnlySpan<byte> name, string? value)
    {
        if (value is not null)
            json.WriteString(name, value);
    }
}
