namespace Lintel.Config.Reading;

/// <summary>Where a path leads once every symbolic link on the way is followed.</summary>
internal static class RealPath
{
    /// <summary>As many as Linux follows (MAXSYMLINKS).</summary>
    private const int MaxLinks = 40;

    /// <param name="path">A full path. It, or its end, need not exist.</param>
    public static string Of(string path)
    {
        var root = Path.GetPathRoot(path) ?? "/";
        var resolved = root;
        var rest = new Stack<string>();
        Push(rest, path[root.Length..]);
        var links = 0;
        try
        {
            while (rest.TryPop(out var name))
            {
                if (name == "..")
                {
                    resolved = Path.GetDirectoryName(resolved) ?? root;
                    continue;
                }

                var next = Path.Combine(resolved, name);
                if (new FileInfo(next).LinkTarget is not { } target)
                {
                    resolved = next;
                    continue;
                }

                if (++links > MaxLinks)
                    return path;
                if (Path.IsPathRooted(target))
                    resolved = Path.GetPathRoot(target) ?? root;
                Push(rest, Path.IsPathRooted(target) ? target[resolved.Length..] : target);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return path;
        }

        return resolved;
    }

    private static void Push(Stack<string> rest, string path)
    {
        foreach (var name in path.Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries).Where(n => n != ".").Reverse())
            rest.Push(name);
    }
}
