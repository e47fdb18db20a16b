using System.CommandLine;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Lintel.Cli.Commands;

/// <summary><c>lintel status [ADDRESS]</c>: whether a running gateway serves what its files say.</summary>
internal static class StatusCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static Command Create()
    {
        var address = new Argument<string>("ADDRESS")
        {
            Description = "The gateway's admin address.",
            DefaultValueFactory = _ => "http://127.0.0.1:9901",
        };
        var token = new Option<string>("--token") { Description = "The admin token. Default: $LINTEL_ADMIN_TOKEN." };
        var command = new Command(
            "status",
            "Shows what a running gateway serves; exits with 1 if its files differ from it, or the last reload was refused."
        )
        {
            address,
            token,
        };
        command.SetAction(
            (parse, cancellation) =>
                RunAsync(
                    parse.GetValue(address)!,
                    parse.GetValue(token) ?? Environment.GetEnvironmentVariable("LINTEL_ADMIN_TOKEN"),
                    parse.InvocationConfiguration,
                    cancellation
                )
        );
        return command;
    }

    private static async Task<int> RunAsync(string address, string? token, InvocationConfiguration streams, CancellationToken cancellation)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
        {
            await streams.Error.WriteLineAsync($"`{address}` is not an address; write http://HOST:PORT").ConfigureAwait(false);
            return ExitCode.Invalid;
        }

        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = Patience };
        if (!string.IsNullOrEmpty(token))
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        try
        {
            using var response = await client.GetAsync(new Uri(uri, "/api/v1/snapshot"), cancellation).ConfigureAwait(false);
            var text = await response.Content.ReadAsStringAsync(cancellation).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode)
            {
                await streams.Error.WriteLineAsync($"the gateway responded with {(int)response.StatusCode}: {text}").ConfigureAwait(false);
                return ExitCode.Invalid;
            }

            using var snapshot = JsonDocument.Parse(text);
            return Write(snapshot.RootElement, streams.Output);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or JsonException)
        {
            await streams.Error.WriteLineAsync(e.GetBaseException().Message).ConfigureAwait(false);
            return ExitCode.Invalid;
        }
    }

    private static int Write(JsonElement snapshot, TextWriter output)
    {
        output.WriteLine($"state        {snapshot.GetProperty("state")}");
        if (Find(snapshot, "loadedAt") is { } loaded)
            output.WriteLine($"live since   {loaded}");
        foreach (var reason in snapshot.GetProperty("notReadyReasons").EnumerateArray())
            output.WriteLine($"not ready    {reason}");
        if (Find(snapshot, "overload") is { } overload && overload.GetProperty("level").GetDouble() > 0)
            output.WriteLine($"shedding     level {overload.GetProperty("level")} of 3: {overload.GetProperty("reason")}");
        var agrees = true;
        if (Find(snapshot, "fallback") is { } fallback)
        {
            agrees = false;
            output.WriteLine($"LAST GOOD    configuration of {fallback.GetProperty("savedAt")}: the given files are not valid");
        }

        if (Find(snapshot, "lastReload") is { } reload && reload.GetProperty("outcome").GetString() == "refused")
        {
            agrees = false;
            output.WriteLine($"refused      at {reload.GetProperty("at")}, {reload.GetProperty("problemCount")} problems:");
            foreach (var problem in reload.GetProperty("problems").EnumerateArray())
                output.WriteLine(
                    $"  {Place(problem.GetProperty("position"))}: {problem.GetProperty("code")} at {problem.GetProperty("path")}: "
                        + $"{problem.GetProperty("message")}"
                );
        }

        if (Find(snapshot, "filesDiffer") is { ValueKind: JsonValueKind.True })
        {
            agrees = false;
            output.WriteLine("files        have changed since they were last read");
        }

        output.WriteLine(agrees ? "the served configuration matches the files" : "the served configuration differs from the files");
        return agrees ? ExitCode.Ok : ExitCode.Invalid;
    }

    private static string Place(JsonElement position) =>
        position.ValueKind == JsonValueKind.Object
            ? $"{position.GetProperty("source")}:{position.GetProperty("line")}"
            : position.ToString();

    private static JsonElement? Find(JsonElement of, string name) =>
        of.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
}
