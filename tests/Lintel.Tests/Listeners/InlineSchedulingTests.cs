using Lintel.Listeners;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Lintel.Tests.Listeners;

public sealed class InlineSchedulingTests
{
    /// <summary>
    /// When it fails with a new version of ASP.NET Core: HTTP/2 still works, and takes half as much CPU again (decision 0011).
    /// </summary>
    [Fact]
    public async Task ThisKestrel_CanBeTold()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        await using var application = builder.Build();
        Assert.True(InlineScheduling.TryUse(application.Services.GetRequiredService<IServer>()));
    }

    [Fact]
    public void AnotherServer_IsLeftAlone() => Assert.False(InlineScheduling.TryUse(new OtherServer()));

    private sealed class OtherServer : IServer
    {
        public IFeatureCollection Features { get; } = new FeatureCollection();

        public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
            where TContext : notnull => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public void Dispose() { }
    }
}
