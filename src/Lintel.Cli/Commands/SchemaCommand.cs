using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Lintel.Hosting;

namespace Lintel.Cli.Commands;

/// <summary><c>lintel schema</c></summary>
internal static partial class SchemaCommand
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var command = new Command("schema", "Prints the configuration's JSON Schema, for completion in editors.");
        command.SetAction(_ =>
        {
            Console.WriteLine(ConfigSchema.Create(Documentation()).ToJsonString(Indented));
            return ExitCode.Ok;
        });
        return command;
    }

    /// <summary>Descriptions are the XML documentation of the configuration's records, which the compiler puts beside the assembly.</summary>
    internal static Func<Type, string, string?> Documentation()
    {
        var file = Path.Combine(AppContext.BaseDirectory, "Lintel.xml");
        if (!File.Exists(file))
            return static (_, _) => null;
        var members = XDocument.Load(file).Descendants("member").ToDictionary(m => (string)m.Attribute("name")!, m => m.Element("summary"));
        return (type, property) => members.GetValueOrDefault($"P:{type.FullName}.{property}") is { } summary ? Flatten(summary) : null;
    }

    private static string Flatten(XElement summary)
    {
        foreach (var see in summary.Descendants("see").ToList())
            see.ReplaceWith((string?)see.Attribute("langword") ?? ((string?)see.Attribute("cref"))?.Split('.')[^1] ?? "");
        foreach (var code in summary.Descendants("c").ToList())
            code.ReplaceWith("`" + code.Value + "`");
        return Spaces().Replace(summary.Value, " ").Trim();
    }

    [GeneratedRegex("\\s+")]
    private static partial Regex Spaces();
}
