using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;

namespace Lintel.Routing;

/// <summary>
/// Reads query parameters: names and values decoded, names case-sensitive, in the order sent. Linear in the length of the query.
/// </summary>
internal static class QueryValues
{
    /// <summary>All values of a parameter; empty if the query does not contain it.</summary>
    /// <param name="query">Empty, or beginning with <c>?</c>.</param>
    /// <param name="name">The unescaped name.</param>
    public static StringValues Find(string? query, string name)
    {
        string? first = null;
        List<string>? all = null;
        foreach (var pair in new QueryStringEnumerable(query))
        {
            if (!pair.DecodeName().Span.SequenceEqual(name))
                continue;
            var value = pair.DecodeValue().ToString();
            if (first is null)
                first = value;
            else
                (all ??= [first]).Add(value);
        }

        return all is null ? new StringValues(first) : new StringValues([.. all]);
    }

    /// <summary>The number of parameters of a query, including empty ones.</summary>
    public static int Count(ReadOnlySpan<char> query) => query.Length < 2 ? 0 : query.Count('&') + 1;
}
