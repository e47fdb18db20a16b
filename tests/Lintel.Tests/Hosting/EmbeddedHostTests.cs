using System.Net;
using Lintel.Config;
using Lintel.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Lintel.Tests.Hosting;

/// <summary>Start and end of the gateway in hosts as applications and their tests build them.</summary>
public sealed class EmbeddedHostTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Sample_InAWebApplicationFactory_AnswersAndEnds()
    {
        var factory = new WebApplicationFactory<Program>();
        using (var client = factory.CreateClient())
        {
            Assert.Equal("the program's own endpoint", await client.GetStringAsync(new Uri("/own", UriKind.Relative), None));
            Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync(new Uri("/nothing", UriKind.Relative), None)).StatusCode);
        }

        await factory.DisposeAsync().AsTask().WaitAsync(Patience, None);
    }

    [Fact]
    public async Task Application_InATestServer_StopsTwice()
    {
        var app = await StartAsync();
        using var client = app.GetTestClient();
        Assert.Equal("hello", await client.GetStringAsync(new Uri("/x", UriKind.Relative), None));
        await app.StopAsync(None).WaitAsync(Patience, None);
        await app.StopAsync(None).WaitAsync(Patience, None);
        await app.DisposeAsync().AsTask().WaitAsync(Patience, None);
    }

    [Fact]
    public async Task Application_ThatRuns_StopsFromOutside()
    {
        var app = Build();
        var running = app.RunAsync();
        var lifetime = app.Services.GetRequiredService<IHostApplicationLifetime>();
        await Task.Delay(Timeout.Infinite, lifetime.ApplicationStarted)
            .ContinueWith(_ => { }, TaskScheduler.Default)
            .WaitAsync(Patience, None);
        await app.StopAsync(None).WaitAsync(Patience, None);
        await running.WaitAsync(Patience, None);
    }

    [Fact]
    public async Task Stop_WithACanceledToken_Returns()
    {
        await using var app = await StartAsync();
        var gateway = app.Services.GetRequiredService<Gateway>();
        var entered = new TaskCompletionSource();
        var goOn = new TaskCompletionSource();
        gateway.Reloading += () => entered.SetResult();
        gateway.Applying += (_, _) => goOn.Task;
        var reload = gateway.ReloadAsync(None);
        await entered.Task.WaitAsync(Patience, None);
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await gateway.StopAsync(now.Token).WaitAsync(Patience, None);
        goOn.SetResult();
        await reload.WaitAsync(Patience, None);
        await gateway.StopAsync(None).WaitAsync(Patience, None);
    }

    [Fact]
    public async Task Reload_AfterTheEnd_ChangesNothing()
    {
        await using var app = await StartAsync();
        await app.StopAsync(None).WaitAsync(Patience, None);
        var reloads = 0;
        var gateway = app.Services.GetRequiredService<Gateway>();
        gateway.Reloading += () => reloads++;
        await gateway.ReloadAsync(None).WaitAsync(Patience, None);
        Assert.Equal(0, reloads);
    }

    private static async Task<WebApplication> StartAsync()
    {
        var app = Build();
        await app.StartAsync(None);
        return app;
    }

    private static WebApplication Build()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseTestServer();
        builder.Services.AddRoutingCore();
        builder.Services.AddLintel(
            new GatewayConfig
            {
                Routes = new()
                {
                    ["x"] = new RouteConfig
                    {
                        Match = new MatchConfig { Paths = ["/x"] },
                        Respond = new RespondConfig { Body = "hello" },
                    },
                },
                Observability = new ObservabilityConfig { AccessLog = new AccessLogConfig { To = "none" } },
            }
        );
        var app = builder.Build();
        app.UseRouting();
        app.MapLintel();
        app.UseEndpoints(_ => { });
        return app;
    }
}
