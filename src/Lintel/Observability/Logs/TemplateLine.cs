using System.Buffers;
using System.Globalization;
using Lintel.Config;

namespace Lintel.Observability.Logs;

/// <summary>A line after the user's template. What a request has not is <c>-</c>.</summary>
internal sealed class TemplateLine(Redaction redaction, AccessLogTemplate template)
    : LineFormat(redaction, [.. template.Pieces.Where(p => p.Header is not null).Select(p => p.Header!)])
{
    public override void Write(ArrayBufferWriter<byte> lines, in AccessRecord record)
    {
        var header = 0;
        foreach (var piece in template.Pieces)
        {
            if (piece.Literal is { } literal)
            {
                lines.Append(literal);
                continue;
            }

            var value = piece.Field == AccessLogField.Header ? Header(record, header++) : Value(piece.Field, record);
            if (string.IsNullOrEmpty(value))
                lines.Append("-");
            else
                lines.AppendEscaped(value, piece.IsQuoted);
        }

        lines.Append("\n");
    }

    private string? Value(AccessLogField field, in AccessRecord record) =>
        field switch
        {
            AccessLogField.Time => Time(record),
            AccessLogField.Method => record.Method,
            AccessLogField.Host => record.Host,
            AccessLogField.Path => Path(record),
            AccessLogField.Query => Query(record),
            AccessLogField.Target => Query(record) is { Length: > 0 } query ? $"{Path(record)}?{query}" : Path(record),
            AccessLogField.Protocol => record.Protocol,
            AccessLogField.Status => Number(record.Status),
            AccessLogField.RequestBytes => Number(record.RequestBytes),
            AccessLogField.ResponseBytes => Number(record.ResponseBytes),
            AccessLogField.DurationMs => Milliseconds(record.Duration),
            AccessLogField.UpstreamMs => record.Attempts > 0 ? Milliseconds(record.Upstream) : null,
            AccessLogField.GatewayMs => Milliseconds(record.Gateway),
            AccessLogField.Attempts => Number(record.Attempts),
            AccessLogField.Route => record.Route,
            AccessLogField.Service => record.Service,
            AccessLogField.Instance => record.Instance,
            AccessLogField.Error => record.Error,
            AccessLogField.Detail => record.Detail,
            AccessLogField.GrpcStatus => record.GrpcStatus is { } grpc ? Number(grpc) : null,
            AccessLogField.Client => Client(record),
            AccessLogField.Caller => record.Caller,
            AccessLogField.UserAgent => record.UserAgent,
            AccessLogField.TraceId => record.TraceId,
            _ => null,
        };

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
