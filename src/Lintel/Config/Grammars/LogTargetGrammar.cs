using System.Text.Json.Nodes;
using Lintel.Config.Reading;

namespace Lintel.Config.Grammars;

/// <summary>Where a log goes: a word, or a file that need not be there yet.</summary>
internal sealed class LogTargetGrammar(params string[] words) : Grammar<string>
{
    public const string Stdout = "stdout";
    public const string Stderr = "stderr";
    public const string None = "none";

    private static readonly string[] All = [Stdout, Stderr, None];

    /// <summary>Refuses <c>rotate</c> where nothing could be rotated.</summary>
    public static void CheckRotate(RecordFields fields, RotateConfig? rotate, bool mayRotate)
    {
        if (rotate is not null && !fields.HasFailed("to") && !mayRotate)
            fields.Report(
                "conflict",
                "rotate",
                "`rotate` requires a log that is written to a file",
                "set `to` to a file, or remove `rotate`"
            );
    }

    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out string value)
    {
        var choice = string.Join(", ", words.Select(w => $"`{w}`"));
        if (node is not ScalarNode { IsNull: false } scalar)
        {
            report.Add("wrong-type", node, path, $"{choice} or a file's path is expected, not {node.Kind}");
            return Fail(out value);
        }

        value = scalar.Text;
        if (words.Contains(value))
            return true;

        // A word of another log's: a file of that name is not what is meant.
        if (All.Contains(value))
        {
            report.Add("bad-value", node, path, $"this log cannot be written to `{scalar.Written}`", $"write {choice} or a file's path");
            return Fail(out value);
        }

        value = ConfigPaths.Resolve(scalar, report);
        if (Directory.Exists(value))
            report.Add("file", node, path, $"{ConfigPaths.Show(scalar, value)} is a directory", "write the path of a file in it");
        else if (!Directory.Exists(Path.GetDirectoryName(value)))
            report.Add(
                "file",
                node,
                path,
                $"the directory of {ConfigPaths.Show(scalar, value)} does not exist",
                "create it; " + ConfigPaths.Hint(scalar)
            );
        else
            return true;
        return Fail(out value);
    }

    public override JsonObject Describe(SchemaDefinitions definitions) => new() { ["type"] = "string" };
}
