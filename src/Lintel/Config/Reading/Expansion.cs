using System.Text;
using Lintel.Config.Grammars;

namespace Lintel.Config.Reading;

/// <summary>The environment that configuration text is expanded from: variables, files, and the configuration's own files.</summary>
internal sealed class ConfigEnvironment
{
    /// <summary>The process's environment and file system.</summary>
    public static ConfigEnvironment OfProcess() => new() { Variable = Environment.GetEnvironmentVariable, ReadFile = File.ReadAllText };

    /// <summary>A variable's value, or <see langword="null"/>.</summary>
    public required Func<string, string?> Variable { get; init; }

    /// <summary>
    /// The text of a file that a value comes from; throws <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>.
    /// </summary>
    public required Func<string, string> ReadFile { get; init; }

    /// <summary>Where the configuration's own files are read from.</summary>
    public ConfigFiles Files { get; init; } = new DiskFiles(Console.OpenStandardInput);

    /// <summary>Returns the same environment with another source of the configuration's own files.</summary>
    public ConfigEnvironment With(ConfigFiles files) =>
        new()
        {
            Variable = Variable,
            ReadFile = ReadFile,
            Files = files,
        };
}

/// <summary>
/// Replaces <c>${NAME}</c>, <c>${NAME:-default}</c> and <c>${file:/path}</c> in every scalar value; <c>$${</c> stands for <c>${</c>. Keys
/// are left alone.
/// </summary>
internal sealed class Expansion(ConfigEnvironment environment, string directory, ConfigReport report)
{
    private readonly HashSet<ScalarNode> _done = [];

    /// <summary>The files that values came from, with what they held a moment before: they are watched with the configuration.</summary>
    public Dictionary<string, UInt128?> Files { get; } = new(StringComparer.Ordinal);

    public void Expand(ConfigNode node, KeyPath path)
    {
        switch (node)
        {
            case MapNode map:
                foreach (var entry in map.Entries)
                    Expand(entry.Value, path[entry.Key]);
                break;
            case ListNode list:
                for (var i = 0; i < list.Items.Count; i++)
                    Expand(list.Items[i], path[i]);
                break;
            case ScalarNode scalar when scalar.Written.Contains("${", StringComparison.Ordinal) && _done.Add(scalar):
                scalar.Text = ExpandText(scalar, path);
                break;
        }
    }

    private string ExpandText(ScalarNode scalar, KeyPath path)
    {
        var text = scalar.Written;
        var result = new StringBuilder();
        var at = 0;
        while (at < text.Length)
        {
            var start = text.IndexOf("${", at, StringComparison.Ordinal);
            if (start < 0)
                break;
            if (start > at && text[start - 1] == '$')
            {
                result.Append(text, at, start - at - 1).Append("${");
                at = start + 2;
                continue;
            }

            result.Append(text, at, start - at);
            var end = text.IndexOf('}', start);
            if (end < 0)
            {
                Refuse(scalar, path, "unclosed `${`", "write `${NAME}`, or `$${` for a literal `${`");
                return text;
            }

            result.Append(Resolve(text[(start + 2)..end], scalar, path));
            at = end + 1;
        }

        return result.Append(text, at, text.Length - at).ToString();
    }

    private string Resolve(string expression, ScalarNode scalar, KeyPath path)
    {
        if (expression.StartsWith("file:", StringComparison.Ordinal))
            return ReadFile(expression[5..], scalar, path);

        var (name, fallback) = expression.IndexOf(":-", StringComparison.Ordinal) is var cut and >= 0
            ? (expression[..cut], expression[(cut + 2)..])
            : (expression, (string?)null);
        if (name.Length == 0 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_') || char.IsAsciiDigit(name[0]))
        {
            Refuse(
                scalar,
                path,
                $"`${{{expression}}}` does not name an environment variable",
                "write `${NAME}`, `${NAME:-default}` or `${file:/path}`"
            );
            return "";
        }

        var value = environment.Variable(name);
        if (string.IsNullOrEmpty(value) && fallback is not null)
            return fallback;
        if (value is null)
            Refuse(scalar, path, $"the environment variable `{name}` is not set", $"set it, or give a default: `${{{name}:-…}}`");
        return value ?? "";
    }

    private string ReadFile(string file, ScalarNode scalar, KeyPath path)
    {
        var full = Path.GetFullPath(file, directory);
        if (!Files.ContainsKey(full))
            Files.Add(full, ContentFingerprint.OfFile(full));
        try
        {
            // A secret's file usually ends with a newline that is no part of the secret.
            return environment.ReadFile(full).TrimEnd('\r', '\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            Refuse(
                scalar,
                path,
                $"the file `{file}` cannot be read",
                e is FileNotFoundException or DirectoryNotFoundException ? "it does not exist" : e.Message
            );
            return "";
        }
    }

    private void Refuse(ScalarNode scalar, KeyPath path, string message, string hint)
    {
        scalar.IsExpansionFailed = true;
        report.Add("expansion", scalar, path, message, hint);
    }
}
