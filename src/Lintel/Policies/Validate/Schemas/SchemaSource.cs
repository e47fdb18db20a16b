using System.Text.Json;

namespace Lintel.Policies.Validate.Schemas;

/// <summary>A schema cannot be used: what is wrong, and where in which file. The message ends without a period.</summary>
internal sealed class SchemaException(string message) : FormatException(message);

/// <summary>The files of a schema: itself, and those beside and below it that it refers to. Nothing is fetched from a network.</summary>
/// <param name="main">The full path of the schema.</param>
internal sealed class SchemaSource(string main)
{
    /// <summary>The longest file. A schema is written by hand, or generated from a model.</summary>
    private const int MaxLength = 4 * 1024 * 1024;

    private const int MaxDepth = 128;

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false };

    private readonly Dictionary<string, JsonElement> _files = new(StringComparer.Ordinal);
    private readonly string _folder = Path.GetDirectoryName(main)!;

    /// <summary>The path of the main file.</summary>
    public string Main => main;

    /// <summary>All files that a schema consists of: full paths. Files that cannot be read, and what they refer to, are left out.</summary>
    public static IEnumerable<string> FilesOf(string main)
    {
        var source = new SchemaSource(main);
        var found = new List<string> { main };
        for (var i = 0; i < found.Count; i++)
        {
            try
            {
                found.AddRange(References(source.Read(found[i])).Select(r => source.Resolve(found[i], r)).OfType<string>().Except(found));
            }
            catch (Exception e) when (e is SchemaException or IOException or UnauthorizedAccessException)
            {
                // The compiler tells what is wrong.
            }
        }

        return found;
    }

    /// <summary>Reads a file, once.</summary>
    /// <exception cref="SchemaException">It is not JSON, or too large.</exception>
    public JsonElement Read(string file)
    {
        if (_files.TryGetValue(file, out var known))
            return known;
        if (new FileInfo(file).Length > MaxLength)
            throw new SchemaException($"{Show(file)} has more than {MaxLength} bytes");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file), Strict);
            return _files[file] = document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new SchemaException($"{Show(file)} is not valid JSON: {e.Message.TrimEnd('.')}");
        }
    }

    /// <summary>
    /// The file that a reference leads to, without its fragment; <see langword="null"/> if it is an address, or leads out of the folder of
    /// the main file.
    /// </summary>
    public string? Resolve(string from, string reference)
    {
        var name = reference.Split('#')[0];
        if (name.Length == 0)
            return from;
        if (name.Contains(':') || name.StartsWith('/') || name.Contains('\\'))
            return null;
        var full = Path.GetFullPath(Uri.UnescapeDataString(name), Path.GetDirectoryName(from)!);
        return full.StartsWith(_folder + Path.DirectorySeparatorChar, StringComparison.Ordinal) && File.Exists(full) ? full : null;
    }

    /// <summary>A file's name as its author knows it: relative to the main file.</summary>
    public string Show(string file) => file == main ? Path.GetFileName(file) : Path.GetRelativePath(_folder, file);

    private static IEnumerable<string> References(JsonElement node) =>
        node.ValueKind switch
        {
            JsonValueKind.Object => node.EnumerateObject()
                .SelectMany(m =>
                    m.NameEquals("$ref") && m.Value.ValueKind == JsonValueKind.String ? [m.Value.GetString()!] : References(m.Value)
                ),
            JsonValueKind.Array => node.EnumerateArray().SelectMany(References),
            _ => [],
        };
}
