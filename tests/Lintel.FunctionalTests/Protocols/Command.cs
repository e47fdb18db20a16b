using System.Diagnostics;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>Third-party programs.</summary>
internal static class Command
{
    /// <summary>The folder of Node's programs in the source tree.</summary>
    public static string NodeFolder { get; } = Path.Combine(GatewayProcess.Repository, "tests/Lintel.FunctionalTests/node");

    /// <summary>Runs a program to its end.</summary>
    public static async Task<(int Code, string Output, string Errors)> RunAsync(string program, params string[] arguments)
    {
        using var process = Start(program, arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(2)); // a browser on a busy machine
        try
        {
            await process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return (process.ExitCode, await output, await errors);
    }

    public static Process Start(string program, params string[] arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
}
