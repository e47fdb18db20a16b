using Lintel.Carriers;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Forwarding;

/// <summary>Passes trailers on, under the same rules as headers.</summary>
internal static class Trailers
{
    /// <summary>Returns the request's trailers, available once its body was read to the end.</summary>
    public static IEnumerable<KeyValuePair<string, string>> OfRequest(Exchange exchange) =>
        exchange.Request.Trailers is { } trailers
            ? from trailer in trailers
            where HeaderRules.KeepsTrailer(trailer.Key) && exchange.Outbound?.Removes(trailer.Key) != true
            from value in trailer.Value.OfType<string>()
            select KeyValuePair.Create(trailer.Key, value)
            : [];

    /// <summary>Sends a response's trailers: always over HTTP/2 and HTTP/3, over HTTP/1.1 to a client that accepts them.</summary>
    public static void Send(Exchange exchange, IEnumerable<KeyValuePair<string, string>> fields)
    {
        var (request, response) = (exchange.Request, exchange.Response);
        var changes = exchange.Route!.ResponseHeaders;
        if (response.Trailers is { } trailers)
        {
            Copy(fields, changes, trailers);
            return;
        }

        if (
            !HeaderRules.TakesTrailers(request.Headers.TE)
            || response.ContentLength is not null
            || response.TrailerOutput is not { } output
        )
            return;
        var last = new HeaderDictionary();
        Copy(fields, changes, last);
        output.Send(last);
    }

    private static void Copy(IEnumerable<KeyValuePair<string, string>> from, HeaderChanges changes, IHeaderDictionary to)
    {
        foreach (var (name, value) in from)
        {
            if (HeaderRules.KeepsTrailer(name) && !changes.Removes(name) && FieldSyntax.Problem(name, value) is null)
                to.Append(name, value);
        }
    }
}
