using System.Collections.Frozen;
using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>Compiled header changes of a route.</summary>
/// <param name="removed">Names to remove, including those that are set.</param>
/// <param name="added">Names and values to add; a value that renders empty adds nothing.</param>
/// <param name="foldsUnderscores">Whether <c>X_User</c> is treated as <c>X-User</c>, as many services do: for requests.</param>
internal sealed class HeaderChanges(IEnumerable<string> removed, (string Name, Template Value)[] added, bool foldsUnderscores = false)
{
    private readonly FrozenSet<string> _removed = removed
        .Select(n => foldsUnderscores ? Fold(n) : n)
        .ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>No changes.</summary>
    public static HeaderChanges None { get; } = new([], []);

    public (string Name, Template Value)[] Added { get; } = added;

    public bool Removes(string name) => _removed.Count > 0 && _removed.Contains(foldsUnderscores ? Fold(name) : name);

    /// <summary>Applies the changes to a response's headers.</summary>
    public void Apply(Exchange exchange, IHeaderDictionary headers)
    {
        if (_removed.Count > 0)
        {
            foreach (var name in _removed)
                headers.Remove(name);
        }

        foreach (var (name, template) in Added)
        {
            if (template.RenderForHeader(exchange) is { Length: > 0 } value)
                headers.Append(name, value);
        }
    }

    private static string Fold(string name) => name.Contains('_') ? name.Replace('_', '-') : name;
}
