using Lintel.Hosting;

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
        var limits = new ControlGroups(process, groups).Find("pids").Select(g => g.Number("pids.max"));
        return (isRoot ? limits : limits.Append(OfUser(process))).Min();
    }

    /// <summary>"Max processes             95844                95844                processes"</summary>
    private static long? OfUser(string process) =>
        ControlGroups.Number(
            ControlGroups
                .Lines(Path.Combine(process, "limits"))
                .FirstOrDefault(l => l.StartsWith("Max processes", StringComparison.Ordinal))
                ?["Max processes".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0]
        );
}
