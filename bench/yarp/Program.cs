using System.Globalization;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Yarp.ReverseProxy.Configuration;

// A plain YARP host: YarpHost --port 8080 --upstream http://127.0.0.1:9000 [--routes N] [--certificate PEM --key PEM]
const string Cluster = "upstream";

var arguments = new ConfigurationBuilder().AddCommandLine(args).Build();
var port = int.Parse(Required("port"), CultureInfo.InvariantCulture);
var upstream = Required("upstream");
var routeCount = int.Parse(arguments["routes"] ?? "1", CultureInfo.InvariantCulture);

// The loaded route is the catch-all; the others are distinct, and never asked for: they only make the routing table larger.
List<RouteConfig> routes = [Route("all", "{**rest}")];
for (var i = 1; i < routeCount; i++)
    routes.Add(Route($"route-{i}", $"/service-{i}/items/{{id}}"));

ClusterConfig[] clusters =
[
    new()
    {
        ClusterId = Cluster,
        Destinations = new Dictionary<string, DestinationConfig> { ["only"] = new() { Address = upstream } },
    },
];

// No arguments for the builder: its own meaning of --port and friends must not interfere.
var builder = WebApplication.CreateSlimBuilder();
builder.Logging.SetMinimumLevel(LogLevel.Warning);
builder.WebHost.UseKestrelHttpsConfiguration();
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listener =>
    {
        // HTTP/1.1 and, where there is TLS, HTTP/2: Kestrel's defaults.
        if (arguments["certificate"] is { } certificate)
            listener.UseHttps(X509Certificate2.CreateFromPemFile(certificate, Required("key")));
    }));
builder.Services.AddReverseProxy().LoadFromMemory(routes, clusters);

var app = builder.Build();
app.MapReverseProxy();
await app.RunAsync();

string Required(string name) =>
    arguments[name]
    ?? throw new ArgumentException(
        $"--{name} is missing; usage: YarpHost --port PORT --upstream URL [--routes N] [--certificate PEM --key PEM]"
    );

static RouteConfig Route(string id, string path) =>
    new()
    {
        RouteId = id,
        ClusterId = Cluster,
        Match = new RouteMatch { Path = path },
    };
