using System.Text.Json.Nodes;
using Lintel.Config.Reading;

namespace Lintel.Config.Grammars;

/// <summary>A value that can be switched off.</summary>
internal static class SwitchableGrammar
{
    /// <summary>The word that switches it off.</summary>
    public const string Off = "off";

    /// <summary>A value, or <c>off</c>: <see langword="null"/>.</summary>
    public static Grammar<T?> Of<T>(Grammar<T> value)
        where T : struct => new SwitchableGrammar<T>(value);
}

/// <inheritdoc cref="SwitchableGrammar.Of"/>
internal sealed class SwitchableGrammar<T>(Grammar<T> inner) : Grammar<T?>
    where T : struct
{
    public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out T? value)
    {
        value = null;
        if (node is ScalarNode { IsNull: false, Text: SwitchableGrammar.Off })
            return true;
        var own = new ConfigReport();
        if (inner.TryRead(node, path, own, out var read))
        {
            value = read;
            return true;
        }

        foreach (var problem in own.Problems)
            report.Add(problem.Code, node, path, problem.Message, $"{problem.Hint}; or `off`");
        return false;
    }

    public override JsonObject Describe(SchemaDefinitions definitions) =>
        SchemaDefinitions.AnyOf(inner.Describe(definitions), new JsonObject { ["const"] = SwitchableGrammar.Off });
}
