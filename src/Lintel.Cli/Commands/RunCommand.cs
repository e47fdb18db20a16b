using System.CommandLine;
using Lintel.Hosting;

namespace Lintel.Cli.Commands;

/// <summary><c>lintel run FILE…</c></summary>
internal static class RunCommand
{
    public static Command Create()
    {
        var files = Files();
        var command = new Command("run", "Runs the gateway. Changes of the files and SIGHUP reload it; SIGTERM drains it.") { files };
        command.SetAction((parse, _) => GatewayProcess.RunAsync(parse.GetValue(files)!, PrintBanner));
        return command;
    }

    /// <summary>The files that most commands take.</summary>
    public static Argument<string[]> Files() => new("FILE")
    {
        Description = "YAML or JSON; each file overlays the ones before.",
        Arity = ArgumentArity.OneOrMore,
    };

    public static void PrintBanner(Gateway gateway, string? admin)
    {
        var config = gateway.Config!;
        Console.Error.WriteLine($"Lintel {typeof(Gateway).Assembly.GetName().Version?.ToString(3)}: {config.Routes.Count} routes to {config.Services.Count} services");
        foreach (var (name, address) in gateway.Addresses)
            Console.Error.WriteLine($"  {name,-12} {address}");
        Console.Error.WriteLine($"  {"admin",-12} {admin ?? "off"}{(admin is null ? "" : "  /health/live /health/ready /metrics")}");
    }
}
