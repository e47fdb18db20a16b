namespace Lintel.TestKit;

/// <summary>A folder of configuration files, deleted after the test.</summary>
public sealed class ConfigFolder : IDisposable
{
    public ConfigFolder() => Directory.CreateDirectory(Path);

    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), "lintel-test-" + Guid.NewGuid().ToString("n"));

    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>Writes in place; gives the full path.</summary>
    public string Write(string name, string text)
    {
        var file = this[name];
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
        return file;
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (IOException)
        {
            // A process that is ending still writes here; the folder is temporary anyway.
        }
    }
}
