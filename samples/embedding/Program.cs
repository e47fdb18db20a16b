// The gateway inside an ASP.NET Core program, beside an endpoint of the program's own.
// Usage: Lintel.Samples.Embedding yaml|configuration|code [--urls http://127.0.0.1:8090]
using Lintel.Config;
using Lintel.Samples.Embedding;

var variant = args is [var first, ..] && !first.StartsWith('-') ? first : "yaml";
var builder = WebApplication.CreateBuilder(
    new WebApplicationOptions
    {
        Args = args,
        ContentRootPath = AppContext.BaseDirectory, // where appsettings.json and gateway.yaml lie
    }
);

switch (variant)
{
    case "yaml":
        builder.Services.AddLintel("gateway.yaml"); // in the content root
        break;

    case "configuration":
        builder.Services.AddLintel(builder.Configuration.GetSection("Lintel"));
        break;

    case "code":
        builder.Services.AddLintel(
            new GatewayConfig
            {
                Services = new()
                {
                    ["users"] = new ServiceConfig { Instances = [new InstanceConfig { Address = new Uri("http://127.0.0.1:5101") }] },
                },
                Routes = new()
                {
                    ["user"] = new RouteConfig
                    {
                        Match = new MatchConfig { Methods = ["GET"], Paths = ["/api/users/{id}"] },
                        Forward = new ForwardConfig { Service = "users", Path = "/users/{id}" },
                    },
                    ["card"] = new RouteConfig
                    {
                        Match = new MatchConfig { Methods = ["GET"], Paths = ["/api/cards/{id}"] },
                        Compose = Card.Composition,
                    },
                },
                Observability = new ObservabilityConfig { AccessLog = new AccessLogConfig { To = "none" } },
            }
        );
        break;

    default:
        await Console.Error.WriteLineAsync("usage: Lintel.Samples.Embedding yaml|configuration|code");
        return 1;
}

var app = builder.Build();
app.MapGet("/own", () => "the program's own endpoint"); // endpoints of the application take precedence
app.MapLintel(); // all other requests go to the gateway
await app.RunAsync();
return 0;
