using System.Runtime.InteropServices;

namespace Lintel.Samples.Shop;

/// <summary>Runs one of the shop's services, or all three, until SIGINT or SIGTERM.</summary>
internal static class Program
{
    private const string Usage = """
        Usage: shop SERVICE [--url URL]     one service: users | orders | catalog
               shop all                     all three, each on its usual port

        Usual addresses: users http://127.0.0.1:5101, orders http://127.0.0.1:5201, catalog http://127.0.0.1:5301.
        Port 0 takes any free port.
        """;

    public static async Task<int> Main(string[] args)
    {
        if (args is ["--help" or "-h"])
        {
            Console.WriteLine(Usage);
            return 0;
        }

        if (ReadArguments(args) is not { } wanted)
        {
            await Console.Error.WriteLineAsync(Usage);
            return 2;
        }

        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        return await RunAsync(wanted, stop.Task);

        void OnSignal(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.TrySetResult();
        }
    }

    private static async Task<int> RunAsync(IReadOnlyList<(string Name, string Url)> wanted, Task stop)
    {
        var running = new List<WebApplication>();
        try
        {
            foreach (var (name, url) in wanted)
            {
                var service = ShopService.Create(name, url);
                running.Add(service);
                await service.StartAsync();
                Console.WriteLine($"{name, -8} {string.Join(' ', service.Urls)}");
            }

            await stop;
            await Task.WhenAll(running.Select(service => service.StopAsync()));
            return 0;
        }
        catch (Exception error) when (error is IOException or ArgumentException)
        {
            await Console.Error.WriteLineAsync($"shop: {error.Message}");
            return 1;
        }
        finally
        {
            foreach (var service in running)
                await service.DisposeAsync();
        }
    }

    private static IReadOnlyList<(string Name, string Url)>? ReadArguments(string[] args) =>
        args switch
        {
            ["all"] => [.. ShopService.Names.Select(name => (name, UsualUrl(name)))],
            [var name] when ShopService.Names.Contains(name) => [(name, UsualUrl(name))],
            [var name, "--url", var url] when ShopService.Names.Contains(name) => [(name, url)],
            _ => null,
        };

    private static string UsualUrl(string name) =>
        name switch
        {
            "users" => "http://127.0.0.1:5101",
            "orders" => "http://127.0.0.1:5201",
            _ => "http://127.0.0.1:5301",
        };
}
