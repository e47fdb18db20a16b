using System.CommandLine;

namespace Lintel.Cli.Commands;

/// <summary><c>lintel health [ADDRESS]</c>: for probes where there is no curl, such as in a small container.</summary>
internal static class HealthCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    public static Command Create()
    {
        var address = new Argument<string>("ADDRESS")
        {
            Description = "The gateway's admin address.",
            DefaultValueFactory = _ => "http://127.0.0.1:9901",
        };
        var command = new Command("health", "Checks whether a running gateway is ready; exits with 1 if it is not.") { address };
        command.SetAction((parse, cancellation) => RunAsync(parse.GetValue(address)!, parse.InvocationConfiguration, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string address, InvocationConfiguration streams, CancellationToken cancellation)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
        {
            await streams.Error.WriteLineAsync($"`{address}` is not an address; write http://HOST:PORT").ConfigureAwait(false);
            return ExitCode.Invalid;
        }

        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = Patience };
        try
        {
            using var response = await client.GetAsync(new Uri(uri, "/health/ready"), cancellation).ConfigureAwait(false);
            var answer = await response.Content.ReadAsStringAsync(cancellation).ConfigureAwait(false);
            await streams.Output.WriteLineAsync(answer).ConfigureAwait(false);
            return response.IsSuccessStatusCode ? ExitCode.Ok : ExitCode.Invalid;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            await streams.Error.WriteLineAsync(e.GetBaseException().Message).ConfigureAwait(false);
            return ExitCode.Invalid;
        }
    }
}
