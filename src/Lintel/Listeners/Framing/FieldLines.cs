using System.Text;
using Microsoft.AspNetCore.Http;

namespace Lintel.Listeners.Framing;

/// <summary>Headers and trailers that are written past Kestrel.</summary>
internal static class FieldLines
{
    /// <summary>Adds a line for each value. A value with a line break is omitted.</summary>
    public static StringBuilder AppendFields(this StringBuilder text, IHeaderDictionary fields)
    {
        foreach (var (name, values) in fields)
        {
            foreach (var value in values)
            {
                if (value is not null && !value.AsSpan().ContainsAny('\r', '\n', '\0'))
                    text.Append(name).Append(": ").Append(value).Append("\r\n");
            }
        }

        return text;
    }
}
