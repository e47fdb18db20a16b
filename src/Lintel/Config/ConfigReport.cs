using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>Where something stands in what the user wrote.</summary>
/// <param name="Source">The file's path as it was given, or a name such as <c>IConfiguration</c>.</param>
/// <param name="Line">From 1; 0 where the source has no lines.</param>
/// <param name="Column">From 1; 0 where the source has no lines.</param>
public readonly record struct SourcePosition(string Source, int Line, int Column)
{
    /// <inheritdoc/>
    public override string ToString() => Line == 0 ? Source : $"{Source}:{Line}:{Column}";
}

/// <summary>How bad a problem is.</summary>
public enum ConfigSeverity
{
    /// <summary>The configuration cannot be used.</summary>
    Error,

    /// <summary>The configuration is used as it stands, and is probably not what was meant.</summary>
    Warning,
}

/// <summary>One thing that is wrong with a configuration.</summary>
/// <param name="Code">A stable name of the kind of mistake, such as <c>unknown-key</c>.</param>
/// <param name="Position">Where it stands.</param>
/// <param name="Path">The key path, such as <c>routes.user.forward</c>; empty for the whole document.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Hint">What would be right; <see langword="null"/> where nothing can be said.</param>
public sealed record ConfigProblem(string Code, SourcePosition Position, string Path, string Message, string? Hint = null)
{
    /// <summary>How bad it is. Default: an error.</summary>
    public ConfigSeverity Severity { get; init; }

    /// <summary>The problem in one line: <c>file:line:column: code at path: message; hint</c>. A warning says so before its code.</summary>
    public override string ToString() =>
        $"{Position}: {(Severity == ConfigSeverity.Warning ? "warning " : "")}{Code}{(Path.Length == 0 ? "" : " at " + Path)}: "
        + $"{Message}{(Hint is null ? "" : "; " + Hint)}"
            .Replace("\r", "\\r", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal);
}

/// <summary>All problems of one configuration. It is usable when there is none.</summary>
public sealed class ConfigReport
{
    /// <summary>No more than this many problems are kept: a wrong file of ten thousand routes would bury its reader.</summary>
    public const int MaxProblems = 200;

    private readonly List<ConfigProblem> _problems = [];

    private readonly List<ConfigProblem> _warnings = [];

    /// <summary>The errors, ordered by their place in the files.</summary>
    public IReadOnlyList<ConfigProblem> Problems => Ordered(_problems);

    /// <summary>
    /// What is probably not meant as it is written, ordered by its place in the files; at most <see cref="MaxProblems"/>. It does not keep
    /// the configuration from being used.
    /// </summary>
    public IReadOnlyList<ConfigProblem> Warnings => Ordered(_warnings);

    /// <summary>Whether the configuration can be used.</summary>
    public bool IsValid => Count == 0;

    /// <summary>The number of errors found, those beyond <see cref="MaxProblems"/> included.</summary>
    public int Count { get; private set; }

    /// <summary>Where relative paths begin that stand in no file: an application's content root. Empty for the working directory.</summary>
    internal string Folder { get; init; } = "";

    internal void Add(ConfigProblem problem)
    {
        // A client's condition that two routes use is still one mistake.
        var isWarning = problem.Severity == ConfigSeverity.Warning;
        if ((isWarning ? _warnings : _problems).Contains(problem))
            return;
        if (isWarning)
        {
            if (_warnings.Count < MaxProblems)
                _warnings.Add(problem);
            return;
        }

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

    internal void Warn(string code, ConfigNode node, KeyPath path, string message, string? hint = null) =>
        Add(new ConfigProblem(code, node.Position, path.ToString(), message, hint) { Severity = ConfigSeverity.Warning });

    private static IReadOnlyList<ConfigProblem> Ordered(List<ConfigProblem> problems) =>
        [.. problems.OrderBy(p => p.Position.Source, StringComparer.Ordinal).ThenBy(p => p.Position.Line).ThenBy(p => p.Position.Column)];
}

/// <summary>Thrown where a configuration must be valid and is not: at the start of an embedding host.</summary>
public sealed class ConfigException(ConfigReport report)
    : Exception("The Lintel configuration is not valid:" + string.Concat(report.Problems.Select(p => Environment.NewLine + "  " + p)))
{
    /// <summary>What is wrong.</summary>
    public ConfigReport Report { get; } = report;

    /// <summary>
    /// The mistakes, without the stack: they are not in the code that read them. A host that does not start shows this text as it is.
    /// </summary>
    public override string ToString() => Message;
}
