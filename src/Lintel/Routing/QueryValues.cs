using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;

namespace Lintel.Routing;

/// <summary>
/// The one reader of query parameters: names and values decoded, names in their own case, the order as it was sent. Its cost is linear in
/// the query's length.
/// </summary>
internal static class QueryValues
{
    /// <summary>All values of a parameter; empty where the query does not have it.</summary>
    /// <param name="query">Empty, or beginning with <c>?</c>.</param>
    /// <param name="name">Its name without escapes.</param>
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

    /// <summary>How many parameters a query has, empty ones included.</summary>
    public static int Count(ReadOnlySpan<char> query) => query.Length < 2 ? 0 : query.Count('&') + 1;
}
