namespace Lintel.Config.Reading;

/// <summary>
/// Files that a configuration names: relative to the file that names them, or, where that is no file, to the application's content root.
/// </summary>
internal static class ConfigPaths
{
    /// <summary>The full path.</summary>
    public static string Resolve(ScalarNode written, ConfigReport report)
    {
        var folder = written.Position.Line == 0 ? report.Folder : Path.GetDirectoryName(written.Position.Source) ?? "";
        return Path.GetFullPath(Path.Combine(folder, written.Text));
    }

    /// <summary>
    /// The path for messages: as it was written, and where that was looked for. What came by expansion may be a secret at the wrong place,
    /// and is not shown.
    /// </summary>
    public static string Show(ScalarNode written, string full) =>
        written.Text == written.Written && written.Text != full ? $"`{written.Written}` ({full})" : $"`{written.Written}`";

    /// <summary>What the path is relative to.</summary>
    public static string Hint(ScalarNode written) =>
        written.Position.Line == 0
            ? "paths are relative to the application's content root"
            : "paths are relative to the configuration file";
}
