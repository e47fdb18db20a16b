using Lintel.Samples.Shop.Catalog;
using Lintel.Samples.Shop.Orders;
using Lintel.Samples.Shop.Users;
using Microsoft.Extensions.Logging.Console;

namespace Lintel.Samples.Shop;

/// <summary>The shop's three microservices: users, orders and catalog.</summary>
public static class ShopService
{
    /// <summary>The services' names: <c>users</c>, <c>orders</c>, <c>catalog</c>.</summary>
    public static IReadOnlyList<string> Names { get; } = ["users", "orders", "catalog"];

    /// <summary>
    /// Builds one service. The caller starts, stops and disposes it; it handles no signals of its own, reads no ambient configuration
    /// (files, environment), and writes warnings and errors to stderr, nothing to stdout.
    /// </summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="url">
    /// Where it listens, such as <c>http://127.0.0.1:5101</c>. Port 0 takes any free port; <c>Urls</c> tells which after the start.
    /// </param>
    /// <exception cref="ArgumentException">
    /// The name is none of <see cref="Names"/>, or the URL is not an absolute <c>http</c> one without a path.
    /// </exception>
    /// <remarks><c>StartAsync</c> throws an <see cref="IOException"/> when the port is taken.</remarks>
    public static WebApplication Create(string name, string url)
    {
        if (!Names.Contains(name))
            throw new ArgumentException($"There is no service '{name}'; the services are {string.Join(", ", Names)}.", nameof(name));
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme != Uri.UriSchemeHttp || address.PathAndQuery != "/")
            throw new ArgumentException($"'{url}' is not an address such as http://127.0.0.1:5101.", nameof(url));

        var builder = WebApplication.CreateEmptyBuilder(
            new WebApplicationOptions
            {
                ApplicationName = typeof(ShopService).Assembly.GetName().Name,
                ContentRootPath = AppContext.BaseDirectory,
                EnvironmentName = Environments.Production,
            }
        );
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.AddServerHeader = false).UseUrls(url);
        builder
            .Logging.SetMinimumLevel(LogLevel.Warning)
            // A failed start reaches the caller as an exception, who says it better than a stack trace.
            .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None)
            .AddSimpleConsole(console => console.SingleLine = true);
        builder
            .Services.AddRoutingCore()
            .AddSingleton<IHostLifetime, CallersLifetime>()
            .Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace)
            // A request that waits for its latency knob must not hold up the end of the demo.
            .Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(2));

        var app = builder.Build();
        var time = TimeProvider.System;
        var knobs = new Knobs(new Random(Seed: 7));
        ServicePipeline.Use(app, name, knobs, time);
        CommonEndpoints.Map(app, name, knobs, help: MapOwn(app, name, time));
        return app;
    }

    /// <summary>Maps what only this service has.</summary>
    /// <returns>The help lines that list it.</returns>
    private static string MapOwn(WebApplication app, string name, TimeProvider time)
    {
        switch (name)
        {
            case "users":
                UserEndpoints.Map(app, new UserStore(time));
                return UserEndpoints.Help;
            case "orders":
                OrderEndpoints.Map(app, new OrderStore(ProductSeed.Make(), time), time);
                return OrderEndpoints.Help;
            default:
                CatalogEndpoints.Map(app, ProductSeed.Make());
                return CatalogEndpoints.Help;
        }
    }

    /// <summary>Leaves Ctrl+C and SIGTERM to the caller, who runs several services in one process and decides their order.</summary>
    private sealed class CallersLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
