namespace Lintel.Cli;

/// <summary>Where a process of the gateway keeps files of its own.</summary>
internal static class StateDirectory
{
    /// <summary>
    /// The folder that was named, or systemd's <c>$STATE_DIRECTORY</c>, or <c>lintel</c> in the user's state folder (XDG Base Directory
    /// Specification); <see langword="null"/> where there is none.
    /// </summary>
    public static string? Find(string? named, Func<string, string?> variable)
    {
        if (!string.IsNullOrEmpty(named))
            return named;
        if (variable("STATE_DIRECTORY")?.Split(':')[0] is { Length: > 0 } systemd)
            return systemd;
        if (variable("XDG_STATE_HOME") is { } state && Path.IsPathRooted(state)) // others are to be ignored
            return Path.Combine(state, "lintel");
        return variable("HOME") is { Length: > 0 } home ? Path.Combine(home, ".local", "state", "lintel") : null;
    }
}
