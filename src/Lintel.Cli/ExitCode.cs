namespace Lintel.Cli;

/// <summary>The exit codes of the process; documented in <c>docs/guides/running.md</c>.</summary>
internal static class ExitCode
{
    /// <summary>Done; for <c>run</c>: stopped by a signal, every request finished or given its time.</summary>
    public const int Ok = 0;

    /// <summary>The configuration is not valid, or the command line is not.</summary>
    public const int Invalid = 1;

    /// <summary>The environment prevents it, such as a port that is in use.</summary>
    public const int Unavailable = 2;

    /// <summary>A second signal ended the process before requests in flight had ended.</summary>
    public const int Forced = 130;
}
