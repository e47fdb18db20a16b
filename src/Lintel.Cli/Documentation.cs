using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Lintel.Cli;

/// <summary>
/// The XML documentation of records, which the compiler writes next to their assembly: it describes the configuration's schema and the
/// admin API.
/// </summary>
internal static partial class Documentation
{
    /// <summary>
    /// Returns the documentation of a type's property, or of the type if the name of the property is empty. Files are read on first use.
    /// </summary>
    public static Func<Type, string, string?> Create()
    {
        // Generated code has the same types in more than one assembly.
        var members = new Lazy<Dictionary<string, XElement>>(() =>
            Directory
                .EnumerateFiles(AppContext.BaseDirectory, "Lintel*.xml")
                .SelectMany(f => XDocument.Load(f).Descendants("member"))
                .DistinctBy(m => (string)m.Attribute("name")!)
                .ToDictionary(m => (string)m.Attribute("name")!)
        );
        return (type, property) =>
            Find(members.Value, (type.IsGenericType ? type.GetGenericTypeDefinition() : type).FullName!, property) is { } text
                ? Flatten(text)
                : null;
    }

    private static XElement? Find(Dictionary<string, XElement> members, string type, string property)
    {
        if (property.Length == 0)
            return members.GetValueOrDefault("T:" + type)?.Element("summary");

        // A record's positional properties are documented as its parameters.
        return members.GetValueOrDefault($"P:{type}.{property}")?.Element("summary")
            ?? members.GetValueOrDefault("T:" + type)?.Elements("param").FirstOrDefault(p => (string?)p.Attribute("name") == property);
    }

    private static string Flatten(XElement summary)
    {
        var text = new XElement(summary); // asked for again, it is whole
        foreach (var see in text.Descendants("see").ToList())
            see.ReplaceWith((string?)see.Attribute("langword") ?? ((string?)see.Attribute("cref"))?.Split('.')[^1] ?? "");
        foreach (var code in text.Descendants("c").ToList())
            code.ReplaceWith("`" + code.Value + "`");
        return Spaces().Replace(text.Value, " ").Trim();
    }

    [GeneratedRegex("\\s+")]
    private static partial Regex Spaces();
}
