using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Lintel.Observability.Logs;
using Microsoft.Extensions.Logging;

namespace Lintel.Cli.Logging;

/// <summary>One line of the error log, before it has a form.</summary>
/// <param name="Time">When.</param>
/// <param name="Level">Its level.</param>
/// <param name="Category">Who tells.</param>
/// <param name="Event">Which event; 0 for none.</param>
/// <param name="Message">The message.</param>
/// <param name="Exception">The cause.</param>
/// <param name="Values">The message's parts by their names; empty for none.</param>
internal readonly record struct LogLine(
    DateTimeOffset Time,
    LogLevel Level,
    string Category,
    EventId Event,
    string Message,
    Exception? Exception,
    IReadOnlyList<KeyValuePair<string, object?>> Values
)
{
    /// <summary>Names that every line has: a part of a message does not take their place.</summary>
    private static readonly HashSet<string> Reserved = new(
        ["time", "level", "category", "eventId", "event", "message", "exception"],
        StringComparer.Ordinal
    );

    /// <summary>Other scripts stay readable; control characters are escaped, and so no text makes a line of its own.</summary>
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private string Stamp => Time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>For people: time, level, category with event, message and the cause in one line.</summary>
    public string ToText()
    {
        var word = Level switch
        {
            LogLevel.Trace => "trce",
            LogLevel.Debug => "dbug",
            LogLevel.Information => "info",
            LogLevel.Warning => "warn",
            LogLevel.Error => "fail",
            _ => "crit",
        };
        var text = new StringBuilder(Stamp)
            .Append(' ')
            .Append(word)
            .Append(": ")
            .Append(Category)
            .Append('[')
            .Append(Event.Id)
            .Append("] ")
            .Append(Message);
        if (Exception is not null)
            text.Append(' ').Append(Exception);
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsControl(text[i]))
                text[i] = ' ';
        }

        return text.Append('\n').ToString();
    }

    /// <summary>A JSON object with the message's parts as members.</summary>
    public string ToJson()
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, Options))
        {
            json.WriteStartObject();
            json.WriteString("time"u8, Stamp);
            json.WriteString("level"u8, Level.ToString().ToLowerInvariant());
            json.WriteString("category"u8, Category);
            if (Event.Id != 0)
                json.WriteNumber("eventId"u8, Event.Id);
            if (Event.Name is { } name)
                json.WriteString("event"u8, name);
            json.WriteString("message"u8, Message);
            foreach (var (key, value) in Values)
                WriteValue(json, key, value);
            if (Exception is not null)
                json.WriteString("exception"u8, Exception.ToString());
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length) + "\n";
    }

    /// <summary>What has no value is left out: <c>-</c> stands in messages for what is not there.</summary>
    private static void WriteValue(Utf8JsonWriter json, string key, object? value)
    {
        if (key.Length == 0 || key[0] == '{' || value is null or "" or "-")
            return;
        var name = JsonNamingPolicy.CamelCase.ConvertName(key);
        if (Reserved.Contains(name))
            return;
        switch (value)
        {
            case bool flag:
                json.WriteBoolean(name, flag);
                break;
            case int or long or short or byte or uint:
                json.WriteNumber(name, Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case double number when double.IsFinite(number):
                json.WriteNumber(name, number);
                break;
            case Repetition times:
                json.WriteNumber(name, times.Count);
                break;
            case DateTimeOffset time:
                json.WriteString(name, time.UtcDateTime);
                break;
            default:
                json.WriteString(name, Convert.ToString(value, CultureInfo.InvariantCulture));
                break;
        }
    }
}
