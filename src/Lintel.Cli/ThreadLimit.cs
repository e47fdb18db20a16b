using System.Globalization;

namespace Lintel.Cli;

/// <summary>
/// How many threads the process may have: the least of its control groups' limits (<c>pids.max</c>, version 1 or 2) and the user's
/// (RLIMIT_NPROC, which root does not have).
/// </summary>
internal static class ThreadLimit
{
    /// <returns>The limit; <see langword="null"/> where there is none, or it is not known.</returns>
    public static long? Read() => OperatingSystem.IsLinux() ? Read("/proc/self", "/sys/fs/cgroup", Environment.IsPrivilegedProcess) : null;

    /// <param name="process">The process's folder in /proc.</param>
    /// <param name="groups">Where control groups are mounted.</param>
    /// <param name="isRoot">Whether the user's limit does not count.</param>
    public static long? Read(string process, string groups, bool isRoot)
    {
        var limits = Groups(process, groups).Select(Limit);
        return (isRoot ? limits : limits.Append(OfUser(process))).Min();
    }

    /// <summary>The files of the process's groups, from its own to the topmost one that is seen.</summary>
    private static IEnumerable<string> Groups(string process, string groups)
    {
        foreach (var line in Lines(Path.Combine(process, "cgroup")))
        {
            // "0::/system.slice/lintel.service", or of version 1 "8:pids:/docker/4f…"
            if (line.Split(':', 3) is not [_, var controllers, var path])
                continue;
            if (controllers.Length > 0 && !controllers.Split(',').Contains("pids"))
                continue;
            var root = controllers.Length == 0 ? groups : Path.Combine(groups, "pids");
            for (var at = path.Trim('/'); ; at = Path.GetDirectoryName(at) ?? "")
            {
                yield return Path.Combine(root, at, "pids.max");
                if (at.Length == 0)
                    break;
            }
        }
    }

    private static long? Limit(string file) => Number(Lines(file).FirstOrDefault());

    /// <summary>"Max processes             95844                95844                processes"</summary>
    private static long? OfUser(string process) =>
        Number(
            Lines(Path.Combine(process, "limits"))
                .FirstOrDefault(l => l.StartsWith("Max processes", StringComparison.Ordinal))
                ?["Max processes".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0]
        );

    private static long? Number(string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string[] Lines(string file)
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
}
