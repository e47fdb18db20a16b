using System.Globalization;

namespace Lintel.Hosting;

/// <summary>The control groups of this process (cgroups(7)), version 1 or 2.</summary>
/// <param name="Process">The process's folder in /proc.</param>
/// <param name="Root">Where control groups are mounted.</param>
internal sealed record ControlGroups(string Process = "/proc/self", string Root = "/sys/fs/cgroup")
{
    /// <summary>
    /// Returns the folders of the process's groups with this controller, from its own to the topmost one that is visible. What a container
    /// without a namespace for groups cannot see does not exist there, and its own group is the topmost folder.
    /// </summary>
    /// <param name="controller">The controller's name.</param>
    public IEnumerable<ControlGroup> Find(string controller)
    {
        foreach (var line in Lines(Path.Combine(Process, "cgroup")))
        {
            // "0::/system.slice/lintel.service", or of version 1 "8:pids:/docker/4f…"
            if (line.Split(':', 3) is not [_, var controllers, var path])
                continue;
            if (controllers.Length > 0 && !controllers.Split(',').Contains(controller))
                continue;
            var root = controllers.Length == 0 ? Root : Path.Combine(Root, controller);
            for (var at = path.Trim('/'); ; at = Path.GetDirectoryName(at) ?? "")
            {
                yield return new ControlGroup(Path.Combine(root, at), at, controllers.Length > 0);
                if (at.Length == 0)
                    break;
            }
        }
    }

    /// <summary>Reads a file's lines; none if it cannot be read.</summary>
    public static string[] Lines(string file)
    {
        try
        {
            return File.Exists(file) ? File.ReadAllLines(file) : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    /// <summary>Parses a number; <see langword="null"/> for anything else, such as <c>max</c>.</summary>
    public static long? Number(string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}

/// <summary>A control group.</summary>
/// <param name="Folder">Its folder.</param>
/// <param name="Name">Its path below the topmost group; empty for that one.</param>
/// <param name="IsFirst">Whether it is of version 1.</param>
internal readonly record struct ControlGroup(string Folder, string Name, bool IsFirst)
{
    /// <summary>Reads a file that contains one number; <see langword="null"/> if there is none.</summary>
    public long? Number(string file) => ControlGroups.Number(Line(file));

    /// <summary>Reads the first line of a file; <see langword="null"/> if there is none.</summary>
    public string? Line(string file) => ControlGroups.Lines(Path.Combine(Folder, file)).FirstOrDefault();

    /// <summary>Reads a value of a file of lines <c>NAME VALUE</c>; <see langword="null"/> if there is none.</summary>
    public long? Number(string file, string name) =>
        ControlGroups.Number(
            ControlGroups
                .Lines(Path.Combine(Folder, file))
                .FirstOrDefault(l => l.Length > name.Length && l[name.Length] == ' ' && l.StartsWith(name, StringComparison.Ordinal))
                ?[(name.Length + 1)..]
        );
}
