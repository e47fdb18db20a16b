namespace Lintel.Config;

/// <summary>One thing that is wrong with a configuration.</summary>
/// <param name="Code">A stable name of the kind of mistake, such as <c>unknown-key</c>.</param>
/// <param name="Position">Where it stands.</param>
/// <param name="Path">The key path, such as <c>routes.user.forward</c>; empty for the whole document.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Hint">What would be right; <see langword="null"/> where nothing can be said.</param>
public sealed record ConfigProblem(string Code, SourcePosition Position, string Path, string Message, string? Hint = null)
{
    /// <summary>The problem in one line: <c>file:line:column: code at path: message; hint</c>.</summary>
    public override string ToString() =>
        $"{Position}: {Code}{(Path.Length == 0 ? "" : " at " + Path)}: {Message}{(Hint is null ? "" : "; " + Hint)}"
            .Replace("\r", "\\r", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}

/// <summary>All problems of one configuration. It is usable when there is none.</summary>
public sealed class ConfigReport
{
    /// <summary>No more than this many problems are kept: a wrong file of ten thousand routes would bury its reader.</summary>
    public const int MaxProblems = 200;

    private readonly List<ConfigProblem> _problems = [];

    /// <summary>The problems, ordered by their place in the files.</summary>
    public IReadOnlyList<ConfigProblem> Problems =>
        [.. _problems.OrderBy(p => p.Position.Source, StringComparer.Ordinal).ThenBy(p => p.Position.Line).ThenBy(p => p.Position.Column)];

    /// <summary>Whether the configuration can be used.</summary>
    public bool IsValid => Count == 0;

    /// <summary>The number of problems found, those beyond <see cref="MaxProblems"/> included.</summary>
    public int Count { get; private set; }

    internal void Add(ConfigProblem problem)
    {
        // A client's condition that two routes use is still one mistake.
        if (_problems.Contains(problem))
            return;
        Count++;
        if (_problems.Count < MaxProblems)
            _problems.Add(problem);
    }

    internal void Add(string code, ConfigNode node, KeyPath path, string message, string? hint = null)
    {
        // What a value that could not be expanded would have been is not known: it is wrong once, not twice.
        if (node is not ScalarNode { IsExpansionFailed: true } || code == "expansion")
            Add(new ConfigProblem(code, node.Position, path.ToString(), message, hint));
    }
}

/// <summary>Thrown where a configuration must be valid and is not: at the start of an embedding host.</summary>
public sealed class ConfigException(ConfigReport report)
    : Exception("The Lintel configuration is not valid:" + string.Concat(report.Problems.Select(p => Environment.NewLine + "  " + p)))
{
    /// <summary>What is wrong.</summary>
    public ConfigReport Report { get; } = report;
}
