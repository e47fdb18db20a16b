using System.Text;
using Lintel.Pipeline;
using Microsoft.AspNetCore.WebUtilities;

namespace Lintel.Forwarding;

/// <summary>A route's compiled changes to the query. Everything else passes as the client wrote it, byte for byte.</summary>
/// <param name="removed">Parameter names to remove, including those that are set.</param>
/// <param name="set">Names and their values; a value whose placeholders are all absent sets nothing.</param>
internal sealed class QueryChanges(IEnumerable<string> removed, (string Name, Template Value)[] set)
{
    private readonly HashSet<string> _removed = new(removed, StringComparer.Ordinal);

    /// <summary>Returns the query for the service: empty, or beginning with <c>?</c>.</summary>
    public string Apply(Exchange exchange)
    {
        var query = exchange.RequestTarget.Query;
        var withheld = exchange.Outbound?.RemovedParameters ?? [];
        if (_removed.Count == 0 && set.Length == 0 && withheld.Count == 0)
            return query;

        var result = new StringBuilder(query.Length + 32);
        if (query.Length > 1)
        {
            foreach (var range in query.AsSpan(1).Split('&'))
            {
                var pair = query.AsSpan(1)[range];
                if (!pair.IsEmpty && !IsRemoved(pair, withheld))
                    Separate(result).Append(pair);
            }
        }

        foreach (var (name, template) in set)
        {
            var escaped = Uri.EscapeDataString(name);
            if (template.RenderForQuery(exchange, escaped) is { } value)
                Separate(result).Append(escaped).Append('=').Append(value);
        }

        return result.ToString();
    }

    private bool IsRemoved(ReadOnlySpan<char> pair, IReadOnlyList<string> withheld)
    {
        foreach (var decoded in new QueryStringEnumerable(pair.ToString()))
        {
            var name = decoded.DecodeName().ToString();
            return _removed.Contains(name) || withheld.Contains(name);
        }

        return false;
    }

    private static StringBuilder Separate(StringBuilder result) => result.Append(result.Length == 0 ? '?' : '&');
}
