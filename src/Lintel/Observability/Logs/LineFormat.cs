using System.Buffers;
using System.Globalization;
using System.Text;
using Lintel.Config;
using Microsoft.Extensions.Primitives;

namespace Lintel.Observability.Logs;

/// <summary>Turns records into lines. Used by the writer alone: not safe for more than one thread.</summary>
internal abstract class LineFormat(Redaction redaction, string[] headers)
{
    private readonly bool[] _isSecret = [.. headers.Select(redaction.IsSecretHeader)];

    /// <summary>The headers whose values are required in a record.</summary>
    public string[] Headers { get; } = headers;

    /// <summary>The configured format.</summary>
    /// <exception cref="FormatException">The template has a mistake.</exception>
    public static LineFormat Create(AccessLogConfig config)
    {
        var redaction = new Redaction(config.Redact);
        if (config.Format == AccessLogFormat.Json)
            return new JsonLine(redaction, [.. config.Headers.Distinct(StringComparer.OrdinalIgnoreCase)]);
        if (config.Format == AccessLogFormat.Text)
            return new TextLine(redaction);
        var template = AccessLogTemplate.Parse(config.Format.Template ?? "", out var problem, out var hint)
            ?? throw new FormatException($"{problem}; {hint}");
        return new TemplateLine(redaction, template);
    }

    /// <summary>Writes one line with its end.</summary>
    public abstract void Write(ArrayBufferWriter<byte> lines, in AccessRecord record);

    /// <summary>The query without question mark and with secrets redacted; empty if there is none.</summary>
    protected string Query(in AccessRecord record) => record.Query is { Length: > 1 } query ? redaction.Query(query) : "";

    protected string Path(in AccessRecord record) => redaction.Path(record.Path);

    /// <summary>The combined values of a header; <see langword="null"/> if the request had none.</summary>
    protected string? Header(in AccessRecord record, int index)
    {
        var values = record.Headers is { } all ? all[index] : StringValues.Empty;
        return values.Count == 0 ? null
            : _isSecret[index] ? Redaction.Mark
            : redaction.HeaderValue(values.Count == 1 ? values[0]! : string.Join(", ", (string?[])values!));
    }

    protected static string Time(in AccessRecord record) =>
        record.Time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    protected static string Milliseconds(TimeSpan time) => time.TotalMilliseconds.ToString("0.000", CultureInfo.InvariantCulture);

    /// <summary>IPv4 addresses in IPv4 notation, also on dual-stack sockets.</summary>
    protected static string? Client(in AccessRecord record) =>
        record.Client is { IsIPv4MappedToIPv6: true } mapped ? mapped.MapToIPv4().ToString() : record.Client?.ToString();
}

/// <summary>Escaping for formats without quoting rules.</summary>
internal static class LineText
{
    /// <summary>Fit for any place: no space could pass for the end of a value.</summary>
    private static readonly SearchValues<char> Bare = SearchValues.Create(
        "!#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"
    );

    private static readonly SearchValues<char> Quoted = SearchValues.Create(
        " !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"
    );

    /// <summary>Text of ours, as it is.</summary>
    public static void Append(this ArrayBufferWriter<byte> lines, string text)
    {
        var count = Encoding.UTF8.GetBytes(text, lines.GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length)));
        lines.Advance(count);
    }

    /// <summary>
    /// A value controlled by clients: characters other than printable ASCII, quotation marks and backslashes are written as <c>\xHH</c>, as
    /// by nginx, and so are spaces outside of quotation marks.
    /// </summary>
    public static void AppendEscaped(this ArrayBufferWriter<byte> lines, ReadOnlySpan<char> value, bool isQuoted)
    {
        var fit = isQuoted ? Quoted : Bare;
        if (!value.ContainsAnyExcept(fit))
        {
            lines.Advance(Encoding.ASCII.GetBytes(value, lines.GetSpan(value.Length)));
            return;
        }

        // Header values are bytes in the shape of characters (Latin-1) unless another host read them.
        byte[] bytes = value.ContainsAnyExceptInRange('\0', '\xff')
            ? Encoding.UTF8.GetBytes(value.ToArray())
            : Encoding.Latin1.GetBytes(value.ToArray());
        foreach (var b in bytes)
        {
            if (b < 0x80 && fit.Contains((char)b))
            {
                lines.GetSpan(1)[0] = b;
                lines.Advance(1);
                continue;
            }

            var span = lines.GetSpan(4);
            span[0] = (byte)'\\';
            span[1] = (byte)'x';
            Convert.TryToHexString([b], span[2..], out _);
            lines.Advance(4);
        }
    }
}
