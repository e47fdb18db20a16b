using Lintel.Carriers;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Forwarding;

/// <summary>Fields that come after a body, under the rules of those before it.</summary>
internal static class Trailers
{
    /// <summary>The request's, once its body was read to its end.</summary>
    public static IEnumerable<KeyValuePair<string, string>> OfRequest(ClientRequest request) =>
        request.Trailers is { } trailers
            ? from trailer in trailers
            where HeaderRules.KeepsTrailer(trailer.Key)
            from value in trailer.Value.OfType<string>()
            select KeyValuePair.Create(trailer.Key, value)
            : [];

    /// <summary>Passes a response's on: over HTTP/2 and 3 always, to a client of HTTP/1.1 that wants them.</summary>
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
