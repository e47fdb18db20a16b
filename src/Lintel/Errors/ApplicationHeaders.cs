using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Lintel.Errors;

/// <summary>
/// The headers that the application around the gateway had set on the response before the gateway began: security headers, CORS, a
/// correlation id.
/// </summary>
internal sealed class ApplicationHeaders(KeyValuePair<string, StringValues>[] headers)
{
    /// <summary>Remembers what is set so far; where nothing is, nothing is remembered.</summary>
    public static void Note(HttpResponse response) =>
        response.HttpContext.Features.Set(response.Headers.Count > 0 ? new ApplicationHeaders([.. response.Headers]) : null);

    /// <summary>Takes back all that the gateway has done to the response, and nothing else.</summary>
    public static void Restore(HttpResponse response)
    {
        response.Clear();
        if (response.HttpContext.Features.Get<ApplicationHeaders>() is not { } kept)
            return;
        foreach (var (name, values) in kept.All)
            response.Headers[name] = values;
    }

    private KeyValuePair<string, StringValues>[] All { get; } = headers;
}
