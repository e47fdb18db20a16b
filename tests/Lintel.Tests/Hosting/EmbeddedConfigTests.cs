using System.Net;
using Lintel.Config;
using Lintel.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Lintel.Tests.Hosting;

/// <summary>The sources of the configuration of an embedded gateway, and what else the gateway adds to its host.</summary>
public sealed class EmbeddedConfigTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Files_ByARelativePath_LieInTheContentRoot()
    {
        var root = Directory.CreateTempSubdirectory("lintel-test-").FullName;
        await File.WriteAllTextAsync(
            Path.Combine(root, "gateway.yaml"),
            "observability: { accessLog: { to: none } }\nroutes: { x: { match: /x, respond: { body: from-file } } }",
            None
        );
        await using var app = await StartAsync(s => s.AddLintel("gateway.yaml"), root);
        Assert.Equal("from-file", await GetAsync(app, "/x"));
        var refusal = await Assert.ThrowsAsync<ConfigException>(() => StartAsync(s => s.AddLintel("missing.yaml"), root));
        Assert.Contains(Path.Combine(root, "missing.yaml"), refusal.Message, StringComparison.Ordinal);
        Directory.Delete(root, recursive: true);
    }

    [Fact]
    public async Task Section_NamingFiles_FindsThemInTheContentRoot()
    {
        var root = Directory.CreateTempSubdirectory("lintel-test-").FullName;
        await File.WriteAllTextAsync(Path.Combine(root, "ca.pem"), "", None);
        var section = new ConfigurationBuilder()
            .AddInMemoryCollection([
                new("observability:accessLog:to", "logs/access.log"),
                new("services:a:instances:0", "https://127.0.0.1:1"),
                new("services:a:tls:authorities", "ca.pem"),
                new("services:b:instances:0", "https://127.0.0.1:1"),
                new("services:b:tls:authorities", "other.pem"),
            ])
            .Build();
        var refusal = await Assert.ThrowsAsync<ConfigException>(() => StartAsync(s => s.AddLintel(section), root));
        var messages = refusal
            .Report.Problems.Where(p => p.Message.Contains("does not exist", StringComparison.Ordinal))
            .Select(p => $"{p.Path}: {p.Message}; {p.Hint}")
            .Order(StringComparer.Ordinal)
            .ToList();
        Assert.Equal(2, messages.Count);
        Assert.Contains(
            $"observability.accessLog.to: the directory of `logs/access.log` ({Path.Combine(root, "logs/access.log")}) does not exist",
            messages[0],
            StringComparison.Ordinal
        );
        Assert.Equal(
            $"services.b.tls.authorities: the file `other.pem` ({Path.Combine(root, "other.pem")}) does not exist; paths are "
                + $"relative to the application's content root",
            messages[1]
        );
        Directory.Delete(root, recursive: true);
    }

    [Fact]
    public async Task Gateway_AddedTwice_IsTheLastOne()
    {
        await using var app = await StartAsync(s => s.AddLintel("nowhere.yaml").AddLintel(Responding("one")).AddLintel(Responding("two")));
        Assert.Equal("two", await GetAsync(app, "/x"));
        Assert.Single(app.Services.GetServices<Gateway>());
    }

    [Fact]
    public async Task Factory_OfATest_SwapsTheConfiguration()
    {
        await using var service = await StartServiceAsync();
        await using var factory = new WebApplicationFactory<Program>();
        await using var swapped = factory.WithWebHostBuilder(b =>
            b.ConfigureTestServices(s => s.AddLintel(Forwarding(service, "leastRequests")))
        );
        using var client = swapped.CreateClient();
        Assert.Equal("/users/7?x=1", await client.GetStringAsync(new Uri("/users/7?x=1", UriKind.Relative), None));
    }

    [Theory]
    [InlineData("forward")]
    [InlineData("compose")]
    public async Task Handler_OfAService_CarriesItsRequests(string action)
    {
        await using var service = await StartServiceAsync();
        await using var app = await StartAsync(s => s.AddLintel(Forwarding(service, action)));
        Assert.Equal(
            "/users/7?x=1",
            action == "forward" ? await GetAsync(app, "/users/7?x=1") : (await GetAsync(app, "/composed")).Trim('"')
        );
        using var client = app.GetTestClient();
        using var posted = await client.PostAsync(new Uri("/echo", UriKind.Relative), new StringContent(new string('x', 200_000)), None);
        Assert.Equal(200_000, (await posted.Content.ReadAsStringAsync(None)).Length);
    }

    [Fact]
    public async Task Section_ThatIsMissing_IsToldAtTheStart()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Other:a", "1")]).Build();
        var refusal = await Assert.ThrowsAsync<ConfigException>(() => StartAsync(s => s.AddLintel(configuration.GetSection("Lintel"))));
        Assert.Contains(
            "the section `Lintel` of the application's configuration is missing",
            Assert.Single(refusal.Report.Problems).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task ErrorLog_InsideAnotherHost_IsRefused()
    {
        var config = Responding("x") with
        {
            Observability = new ObservabilityConfig { ErrorLog = new ErrorLogConfig { Level = LogLevel.Debug } },
        };
        var refusal = await Assert.ThrowsAsync<ConfigException>(() => StartAsync(s => s.AddLintel(config)));
        var problem = Assert.Single(refusal.Report.Problems);
        Assert.Equal("observability.errorLog", problem.Path);
        Assert.Contains("has its own logging", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Sources_ThatAreNone_AreRefusedAtOnce()
    {
        var services = new ServiceCollection();
        Assert.Throws<ArgumentException>(() => services.AddLintel());
        Assert.Throws<ArgumentNullException>(() => services.AddLintel((IConfiguration)null!));
        Assert.Throws<ArgumentNullException>(() => services.AddLintel((GatewayConfig)null!));
    }

    [Fact]
    public async Task Mistake_AtTheStart_IsToldWithoutAStack()
    {
        var refusal = await Assert.ThrowsAsync<ConfigException>(() =>
            StartAsync(s =>
                s.AddLintel(
                    new GatewayConfig
                    {
                        Routes = new()
                        {
                            ["x"] = new RouteConfig
                            {
                                Match = new MatchConfig { Paths = ["x"] },
                                Respond = new RespondConfig(),
                            },
                        },
                    }
                )
            )
        );
        Assert.Equal(refusal.Message, refusal.ToString());
        Assert.DoesNotContain("   at ", refusal.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task MapLintel_WithoutAddLintel_SaysSo()
    {
        await using var app = WebApplication.CreateSlimBuilder().Build();
        Assert.Contains("AddLintel", Assert.Throws<InvalidOperationException>(() => app.MapLintel()).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => app.MapGet("/", () => "").ForRoute("x"));
    }

    /// <summary>The gateway registers no general services, not even those that the host lacks.</summary>
    [Fact]
    public void Host_WithAGateway_GetsNothingThatIsNotTheGateways()
    {
        var services = new ServiceCollection();
        services.AddLogging().AddMetrics();
        var before = services.Select(s => s.ServiceType).ToHashSet();
        services.AddLintel(Responding("x"));
        var added = services
            .Select(s => s.ServiceType)
            .Where(t => !before.Contains(t))
            .Where(t => t.Namespace?.StartsWith("Lintel", StringComparison.Ordinal) != true)
            .ToList();
        Assert.Equal(["IHostedService", "IStartupFilter", "MatcherPolicy"], added.Select(t => t.Name).Order(StringComparer.Ordinal));
        using var provider = services.BuildServiceProvider();
        Assert.DoesNotContain(provider.GetRequiredService<IOptions<LoggerFilterOptions>>().Value.Rules, r => r.CategoryName is not null);
    }

    private static GatewayConfig Responding(string body) =>
        new()
        {
            Routes = new()
            {
                ["x"] = new RouteConfig
                {
                    Match = new MatchConfig { Paths = ["/x"] },
                    Respond = new RespondConfig { Body = body },
                },
            },
            Observability = new ObservabilityConfig { AccessLog = new AccessLogConfig { To = "none" } },
        };

    private static GatewayConfig Forwarding(WebApplication service, string action) =>
        new()
        {
            Services = new()
            {
                ["s"] = new ServiceConfig
                {
                    Instances = [new InstanceConfig { Address = new Uri("http://users") }],
                    Handler = () => service.GetTestServer().CreateHandler(),
                },
            },
            Routes = new()
            {
                ["all"] = new RouteConfig
                {
                    Match = new MatchConfig { Paths = ["/{**rest}"] },
                    Forward = new ForwardConfig { Service = "s" },
                },
                ["composed"] = new RouteConfig
                {
                    Match = new MatchConfig { Paths = ["/composed"] },
                    Compose = new ComposeConfig
                    {
                        Calls = new()
                        {
                            ["a"] = new()
                            {
                                Request = new() { Service = "s", Target = "/json/users/7?x=1" },
                            },
                        },
                        Respond = new() { Body = new ShapeConfig { Expression = "a" } },
                    },
                },
            },
            Observability = new ObservabilityConfig { AccessLog = new AccessLogConfig { To = "none" } },
            Name = action == "forward" ? "a" : "b",
        };

    private static async Task<WebApplication> StartServiceAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseTestServer();
        var service = builder.Build();
        service.Use(
            async (HttpContext context, RequestDelegate _) =>
            {
                if (context.Request.Path == "/echo")
                {
                    using var body = new StreamReader(context.Request.Body);
                    await context.Response.WriteAsync(await body.ReadToEndAsync(None));
                    return;
                }

                var target = context.Request.Path.Value + context.Request.QueryString;
                context.Response.ContentType = target.StartsWith("/json", StringComparison.Ordinal) ? "application/json" : "text/plain";
                await context.Response.WriteAsync(target.StartsWith("/json", StringComparison.Ordinal) ? $"\"{target[5..]}\"" : target);
            }
        );
        await service.StartAsync(None);
        return service;
    }

    private static async Task<WebApplication> StartAsync(Action<IServiceCollection> configure, string? root = null)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = root ?? AppContext.BaseDirectory });
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        configure(builder.Services);
        var app = builder.Build();
        app.MapLintel();
        await app.StartAsync(None);
        return app;
    }

    private static async Task<string> GetAsync(WebApplication app, string target)
    {
        using var client = app.GetTestClient();
        using var response = await client.GetAsync(new Uri(target, UriKind.Relative), None);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadAsStringAsync(None);
    }
}
