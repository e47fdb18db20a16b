using System.Collections.Frozen;
using Lintel.Pipeline;

namespace Lintel.Forwarding;

/// <summary>A route's changes of headers, compiled.</summary>
/// <param name="removed">Names that do not pass; those that are set are among them.</param>
/// <param name="added">Names with their values; a value that comes out empty adds nothing.</param>
internal sealed class HeaderChanges(IEnumerable<string> removed, (string Name, Template Value)[] added)
{
    private readonly FrozenSet<string> _removed = removed.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    public (string Name, Template Value)[] Added { get; } = added;

    public bool Removes(string name) => _removed.Count > 0 && _removed.Contains(name);
}
