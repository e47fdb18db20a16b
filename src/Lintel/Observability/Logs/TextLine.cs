using System.Buffers;
using System.Globalization;

namespace Lintel.Observability.Logs;

/// <summary>A line for humans: the most important fields in columns, the rest as <c>name=value</c>, absent if there is no value.</summary>
internal sealed class TextLine(Redaction redaction) : LineFormat(redaction, [])
{
    public override void Write(ArrayBufferWriter<byte> lines, in AccessRecord record)
    {
        lines.Append(Time(record));
        lines.Append("  ");
        lines.Append(record.Status.ToString(CultureInfo.InvariantCulture));
        lines.Append("  ");
        lines.Append(Milliseconds(record.Duration).PadLeft(10));
        lines.Append("ms  ");
        lines.AppendEscaped(record.Method, isQuoted: false);
        lines.Append(new string(' ', Math.Max(1, 8 - record.Method.Length)));
        lines.AppendEscaped(record.Host, isQuoted: false);
        lines.AppendEscaped(Path(record), isQuoted: false);
        if (Query(record) is { Length: > 0 } query)
        {
            lines.Append("?");
            lines.AppendEscaped(query, isQuoted: false);
        }

        lines.Append(" ");
        Pair(lines, "client", Client(record) ?? "-");
        Pair(lines, "caller", record.Caller);
        Pair(lines, "route", record.Route);
        Pair(lines, "service", record.Service);
        Pair(lines, "instance", record.Instance);
        if (record.Attempts > 0)
        {
            Pair(lines, "attempts", record.Attempts.ToString(CultureInfo.InvariantCulture));
            Pair(lines, "upstream", Milliseconds(record.Upstream) + "ms");
        }

        Pair(lines, "gateway", Milliseconds(record.Gateway) + "ms");
        Pair(lines, "in", record.RequestBytes.ToString(CultureInfo.InvariantCulture));
        Pair(lines, "out", record.ResponseBytes.ToString(CultureInfo.InvariantCulture));
        Pair(lines, "error", record.Error);
        if (record.Detail is { } detail)
        {
            lines.Append(" detail=\"");
            lines.AppendEscaped(detail, isQuoted: true);
            lines.Append("\"");
        }

        Pair(lines, "grpc", record.GrpcStatus?.ToString(CultureInfo.InvariantCulture));
        Pair(lines, "protocol", record.Protocol);
        Pair(lines, "trace", record.TraceId);
        if (record.UserAgent is { } agent)
        {
            lines.Append(" agent=\"");
            lines.AppendEscaped(agent, isQuoted: true);
            lines.Append("\"");
        }

        lines.Append("\n");
    }

    private static void Pair(ArrayBufferWriter<byte> lines, string name, string? value)
    {
        if (value is null)
            return;
        lines.Append(" ");
        lines.Append(name);
        lines.Append("=");
        lines.AppendEscaped(value, isQuoted: false);
    }
}
