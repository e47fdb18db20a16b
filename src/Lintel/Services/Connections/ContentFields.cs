using System.Collections.Frozen;
using Microsoft.Extensions.Primitives;

namespace Lintel.Services.Connections;

/// <summary>
/// Fields that .NET's client accepts with content only. A request without content may have them as well (RFC 9110 section 8.3 applies to
/// representations, sent or not), and gets an empty content for them.
/// </summary>
/// <remarks>YARP does not allow the content of a message to be replaced, so this is done when the request is sent.</remarks>
internal static class ContentFields
{
    private static readonly HttpRequestOptionsKey<List<KeyValuePair<string, StringValues>>> Kept = new("lintel.content-fields");

    private static readonly FrozenSet<string> Names = new[]
    {
        "Allow",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Content-Location",
        "Content-MD5",
        "Content-Range",
        "Content-Type",
        "Expires",
        "Last-Modified",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>Adds such a field to a message with or without content.</summary>
    public static void Add(HttpRequestMessage message, string name, StringValues values)
    {
        if (message.Content is { } content)
        {
            content.Headers.TryAddWithoutValidation(name, values.ToArray());
            return;
        }

        if (!Names.Contains(name))
            return; // a length without content
        if (!message.Options.TryGetValue(Kept, out var kept))
            message.Options.Set(Kept, kept = []);
        kept.Add(new(name, values));
    }

    /// <summary>Applies the fields immediately before the message is sent.</summary>
    public static void Restore(HttpRequestMessage message)
    {
        if (message.Content is not null || !message.Options.TryGetValue(Kept, out var kept))
            return;
        message.Content = new ByteArrayContent([]);
        foreach (var (name, values) in kept)
            message.Content.Headers.TryAddWithoutValidation(name, values.ToArray());
    }
}
