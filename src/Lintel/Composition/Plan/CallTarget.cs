using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Lintel.Pipeline;

namespace Lintel.Composition.Plan;

/// <summary>A call's path and query, compiled. What is inserted can never leave its segment or parameter.</summary>
internal sealed class CallTarget(UpstreamPath path, (string Name, Template Value)[] query)
{
    private readonly UpstreamPath _path = path;

    /// <summary>Names and values of the query.</summary>
    public (string Name, Template Value)[] Query => query;

    /// <summary>Whether another target may come out the same.</summary>
    public bool MayEqual(CallTarget other) => _path.MayEqual(other._path);

    /// <summary>Path and query for a request.</summary>
    /// <param name="exchange">The client's request.</param>
    /// <param name="references">Other calls' answers; <see langword="null"/> where no placeholder asks for one.</param>
    /// <param name="target">Escaped.</param>
    /// <param name="problem">Why there is none.</param>
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
                continue; // all it refers to is absent
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
