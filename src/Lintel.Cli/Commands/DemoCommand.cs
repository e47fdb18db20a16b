using System.CommandLine;
using Lintel.Hosting;
using Lintel.Samples.Identity;
using Lintel.Samples.Shop;
using Microsoft.AspNetCore.Builder;

namespace Lintel.Cli.Commands;

/// <summary>
/// <c>lintel demo</c>: three sample services, an OpenID provider and a gateway in front of them, all in one process, all on loopback.
/// </summary>
internal static class DemoCommand
{
    private static readonly (string Name, int Port)[] Services = [("users", 5101), ("orders", 5201), ("orders", 5202), ("catalog", 5301)];

    private static readonly Uri Provider = new("http://127.0.0.1:5401");

    public static Command Create(Func<Surroundings> surroundings)
    {
        var command = new Command("demo", "Starts the sample shop's microservices and a gateway in front of them, and prints what to try.");
        command.SetAction((parse, _) => RunAsync(new GatewayProcess(surroundings()), parse.InvocationConfiguration.Error));
        return command;
    }

    private static async Task<int> RunAsync(GatewayProcess process, TextWriter error)
    {
        var file = TakeFile();
        var services = new List<WebApplication>();
        try
        {
            var provider = Task.Run(static () => IdentityProvider.Create(Provider)); // the slowest of all to create
            foreach (var (name, port) in Services)
            {
                var service = ShopService.Create(name, $"http://127.0.0.1:{port}");
                services.Add(service);
                await service.StartAsync().ConfigureAwait(false);
            }

            services.Add(await provider.ConfigureAwait(false));
            await services[^1].StartAsync().ConfigureAwait(false);

            return await process.RunAsync([file], (gateway, admin, to) => PrintGuide(gateway, admin, file, to)).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            await error.WriteLineAsync($"The demo cannot start: {e.Message}").ConfigureAwait(false);
            return ExitCode.Unavailable;
        }
        finally
        {
            foreach (var service in services)
                await service.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>A file of the user's own, in the folder where the demo was started. One that is there already is served as it is.</summary>
    private static string TakeFile()
    {
        var shipped = Path.Combine(AppContext.BaseDirectory, "demo", "gateway.yaml");
        var own = Path.Combine(Environment.CurrentDirectory, "lintel-demo.yaml");
        try
        {
            if (!File.Exists(own))
                File.WriteAllBytes(own, File.ReadAllBytes(shipped));
            return own;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return shipped; // a folder in which nothing can be written
        }
    }

    private static void PrintGuide(Gateway gateway, string? admin, string file, TextWriter to)
    {
        RunCommand.PrintBanner(gateway, admin, to);
        to.WriteLine(
            $$"""
              services     {{string.Join(", ", Services.Select(s => $"{s.Name} :{s.Port}"))}}
              identity     {{Provider}} (two users; the page at / logs them in)
              config       {{file}} (edit it as you like; delete it to restore the original)

            Try, in another terminal:
              curl -i http://127.0.0.1:8080/api/users/42                  # forwarded to the users service
              curl -i 'http://127.0.0.1:8080/api/orders?user=42'          # two instances in turn: run it twice and compare X-Service
              curl -i http://127.0.0.1:8080/api/products/7                # an ETag to send back in If-None-Match
              curl -N http://127.0.0.1:8080/api/orders/1/events           # server-sent events, each one as it occurs
              curl -i -H 'X-Client: ios' http://127.0.0.1:8080/whoami     # a client recognized by a header
              curl -i http://127.0.0.1:8080/nothing/here                  # problem+json for an unknown route
              curl -i -X DELETE http://127.0.0.1:8080/api/products/7      # 405 with Allow

            One request in, several calls out, one response: open http://127.0.0.1:8080/ in a browser, or
              curl -i http://127.0.0.1:8080/api/dashboard/42                        # four calls to three services; see Composition
              curl -s -H 'X-Client: ios' http://127.0.0.1:8080/api/dashboard/42     # the same, shaped for phones
              curl -sN 'http://127.0.0.1:8080/api/stream/42?slow=1s'                # each part as soon as it arrives
              curl -s -X PUT http://127.0.0.1:8080/knobs/orders -d '{"failureRatio":1}' -H 'Content-Type: application/json'   # make orders fail
              curl -i http://127.0.0.1:8080/api/dashboard/42                        # the last good orders; _errors says why
              curl -i http://127.0.0.1:8080/api/dashboard/7                         # no earlier response to fall back to: a partial response
              curl -s -X DELETE http://127.0.0.1:8080/knobs/orders                  # orders work again

            Who may what: log in on the page at http://127.0.0.1:8080/, or
              curl -i http://127.0.0.1:8080/api/my/orders                                # 401: nobody has logged in
              curl -i -H 'Accept: text/html' http://127.0.0.1:8080/api/my/orders         # a browser is led to the login
              curl -i -H 'X-Api-Key: lk_demo' http://127.0.0.1:8080/api/partner/products/7    # a partner, recognized by its API key
              curl -i -H 'X-Api-Key: lk_demo' http://127.0.0.1:8080/api/partner/users    # 403: the partner lacks a scope
              curl -s -u robot:robot-demo-secret -d grant_type=client_credentials -d scope=orders.read {{Provider}}token   # a token for a program

            The gateway itself:
              curl -X PUT http://127.0.0.1:8080/knobs/users -d '{"failureRatio":0.5}' -H 'Content-Type: application/json'   # make users fail
              curl -s http://127.0.0.1:9901/metrics | grep request_duration_seconds_count
            Each request is logged below. Edit the file above and save it to reload the gateway. Press Ctrl+C to stop.
            """
        );
    }
}
