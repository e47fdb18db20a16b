using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>Where something stands in what the user wrote.</summary>
public readonly record struct SourcePosition
{
    internal SourcePosition(string source, int line, int column) => (Source, Line, Column) = (source, line, column);

    /// <summary>The file's path as it was given, or a name such as <c>IConfiguration</c>.</summary>
    public string Source { get; }

    /// <summary>From 1; 0 where the source has no lines.</summary>
    public int Line { get; }

    /// <summary>From 1; 0 where the source has no lines.</summary>
    public int Column { get; }

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
public sealed class ConfigProblem
{
    internal ConfigProblem(string code, SourcePosition position, string path, string message, string? hint = null)
    {
        Code = code;
        Position = position;
        Path = path;
        Message = message;
        Hint = hint;
    }

    /// <summary>A stable name of the kind of mistake, such as <c>unknown-key</c>.</summary>
    public string Code { get; }

    /// <summary>Where it stands.</summary>
    public SourcePosition Position { get; }

    /// <summary>The key path, such as <c>routes.user.forward</c>; empty for the whole document.</summary>
    public string Path { get; }

    /// <summary>What is wrong.</summary>
    public string Message { get; }

    /// <summary>What would be right; <see langword="null"/> where nothing can be said.</summary>
    public string? Hint { get; }

    /// <summary>How bad it is. Default: an error.</summary>
    public ConfigSeverity Severity { get; internal init; }

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
    internal const int MaxProblems = 200;

    private readonly HashSet<(SourcePosition, string, string, string, string?, ConfigSeverity)> _seen = [];

    private readonly List<ConfigProblem> _problems = [];

    private readonly List<ConfigProblem> _warnings = [];

    internal ConfigReport() { }

    /// <summary>The errors, ordered by their place in the files; at most 200.</summary>
    public IReadOnlyList<ConfigProblem> Problems => Ordered(_problems);

    /// <summary>
    /// What is probably not meant as it is written, ordered by its place in the files; at most 200. It does not keep the configuration
    /// from being used.
    /// </summary>
    public IReadOnlyList<ConfigProblem> Warnings => Ordered(_warnings);

    /// <summary>Whether the configuration can be used.</summary>
    public bool IsValid => Count == 0;

    /// <summary>The number of errors found, those beyond the first 200 included.</summary>
    public int Count { get; private set; }

    /// <summary>Where relative paths begin that stand in no file: an application's content root. Empty for the working directory.</summary>
    internal string Folder { get; init; } = "";

    internal void Add(ConfigProblem problem)
    {
        // A client's condition that two routes use is still one mistake.
        if (!_seen.Add((problem.Position, problem.Code, problem.Path, problem.Message, problem.Hint, problem.Severity)))
            return;
        if (problem.Severity == ConfigSeverity.Warning)
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
public sealed class ConfigException : Exception
{
    internal ConfigException(ConfigReport report)
        : base("The Lintel configuration is not valid:" + string.Concat(report.Problems.Select(p => Environment.NewLine + "  " + p))) =>
        Report = report;

    /// <summary>What is wrong.</summary>
    public ConfigReport Report { get; }

    /// <summary>
    /// The mistakes, without the stack: they are not in the code that read them. A host that does not start shows this text as it is.
    /// </summary>
    public override string ToString() => Message;
}
