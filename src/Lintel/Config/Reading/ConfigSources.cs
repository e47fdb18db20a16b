namespace Lintel.Config.Reading;

/// <summary>What a configuration was read from: for the watch, and for a copy of it.</summary>
internal sealed class ConfigSources
{
    private readonly HashSet<string> _files = new(StringComparer.Ordinal);
    private readonly HashSet<WatchedDirectory> _folders = [];
    private readonly Dictionary<string, byte[]> _contents = new(StringComparer.Ordinal);
    private readonly Dictionary<string, UInt128> _fingerprints = new(StringComparer.Ordinal);

    /// <summary>Every file that took part or should have: full paths.</summary>
    public IReadOnlyCollection<string> Files => _files;

    /// <summary>The folders that were looked into for files.</summary>
    public IReadOnlyCollection<WatchedDirectory> Folders => _folders;

    /// <summary>
    /// What was read, by full path: the files as they are written, nothing expanded. Files that values come from are not among them.
    /// </summary>
    public IReadOnlyDictionary<string, byte[]> Contents => _contents;

    /// <summary>
    /// What files and folders held when they were read, or a moment before, by full path (<see cref="ContentFingerprint"/>).
    /// </summary>
    public IReadOnlyDictionary<string, UInt128> Fingerprints => _fingerprints;

    /// <summary>A file of the configuration itself.</summary>
    public void AddContent(string path, byte[] content)
    {
        _contents[path] = content;
        _fingerprints.TryAdd(path, ContentFingerprint.OfContent(content));
    }

    /// <summary>Any file. The first look counts: what came after it is a change.</summary>
    public void AddFile(string path, UInt128? fingerprint = null)
    {
        _files.Add(path);
        if (fingerprint is { } known)
            _fingerprints.TryAdd(path, known);
    }

    /// <summary>
    /// Another name of a file that has been read already. A copy has it as an empty file: read in its turn, it says nothing twice.
    /// </summary>
    public void AddOtherName(string path)
    {
        if (_contents.TryAdd(path, []))
            AddFile(path, ContentFingerprint.OfFile(path));
    }

    /// <summary>A folder, about to be looked into.</summary>
    public void AddFolder(WatchedDirectory folder)
    {
        if (_folders.Add(folder) && ContentFingerprint.OfFolder(folder) is { } known)
            _fingerprints.TryAdd(folder.ToString(), known);
    }
}

/// <summary>A folder in which files may come and go.</summary>
/// <param name="Path">Its full path.</param>
/// <param name="IsDeep">Whether the folders in it count too.</param>
internal sealed record WatchedDirectory(string Path, bool IsDeep)
{
    /// <inheritdoc/>
    public override string ToString() => System.IO.Path.Combine(Path, IsDeep ? "**" : "*");
}
