using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Lintel.Pipeline;

namespace Lintel.Composition.Plan;

/// <summary>A call's compiled path and query. An inserted value can never leave its segment or parameter.</summary>
internal sealed class CallTarget(UpstreamPath path, (string Name, Template Value)[] query)
{
    private readonly UpstreamPath _path = path;

    /// <summary>Names and values of the query.</summary>
    public (string Name, Template Value)[] Query => query;

    /// <summary>Whether another target may render to the same text.</summary>
    public bool MayEqual(CallTarget other) => _path.MayEqual(other._path);

    /// <summary>Renders path and query for a request.</summary>
    /// <param name="exchange">The client's request.</param>
    /// <param name="references">Other calls' answers; <see langword="null"/> if no placeholder refers to one.</param>
    /// <param name="target">The escaped path and query.</param>
    /// <param name="problem">Why it cannot be rendered.</param>
    public bool TryRender(Exchange exchange, ReferencedValues? references, out string target, [NotNullWhen(false)] out string? problem)
    {
        if (!_path.TryRender(exchange, references, out target, out problem))
            return false;
        if (query.Length == 0)
            return true;
        var text = new DefaultInterpolatedStringHandler(0, 0, null, stackalloc char[256]);
        text.AppendLiteral(target);
        var separator = "?";
        foreach (var (name, template) in query)
        {
            if (template.RenderForQuery(exchange, name, references) is not { } value)
                continue; // all its placeholders are absent
            text.AppendLiteral(separator);
            text.AppendLiteral(name);
            text.AppendLiteral("=");
            text.AppendLiteral(value);
            separator = "&";
        }

        target = text.ToStringAndClear();
        return true;
    }
}
