using System.Collections.Concurrent;
using Lintel.Hosting;
using Lintel.TestKit;
using Lintel.Tests.Observability;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Lintel.Tests.Hosting;

/// <summary>Failures after a reload has gone live, and their limits.</summary>
public sealed class ReloadTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ConcurrentQueue<string> _log = new();
    private readonly string _file;

    public ReloadTests() => _file = Path.Combine(_folder.Path, "gateway.yaml");

    private static CancellationToken None => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Reload_WhereFollowersFail_IsLiveAndSaysSo()
    {
        using var services = Services();
        var gateway = services.GetRequiredService<Gateway>();
        Write("one");
        Assert.True((await gateway.ReloadAsync(None)).IsValid);
        var followed = new List<string>();
        gateway.Applied += _ => throw new InvalidOperationException("no exporter");
        gateway.Applied += async _ =>
        {
            await Task.Yield();
            followed.Add("second");
            throw new OperationCanceledException("given up");
        };
        gateway.Applied += async config =>
        {
            await Task.Yield();
            followed.Add(config.Routes.Keys.Single());
        };
        gateway.Reloaded += _ => throw new InvalidOperationException("nobody to tell");
        gateway.Reloaded += report => followed.Add(report.IsValid ? "told" : "told of a refusal");

        Write("two");
        var report = await gateway.ReloadAsync(None);

        Assert.True(report.IsValid);
        Assert.Equal(["second", "two", "told"], followed);
        Assert.Equal("two", gateway.Config!.Routes.Keys.Single());
        Assert.Equal(ReloadOutcome.Applied, gateway.LastReload!.Outcome);
        Assert.DoesNotContain(_log, l => l.Contains("refused", StringComparison.Ordinal));
        Assert.Contains(_log, l =>
            l.StartsWith(
                "Critical: The new configuration is live, but ReloadTests failed to apply it: no exporter",
                StringComparison.Ordinal
            )
        );
        Assert.Contains(_log, l =>
            l.StartsWith("Critical: The new configuration is live, but ReloadTests failed to apply it: given up", StringComparison.Ordinal)
        );
        Assert.Contains(_log, l =>
            l.StartsWith(
                "Error: ReloadTests failed to handle the notification of a reload; the reload is not affected: nobody to tell",
                StringComparison.Ordinal
            )
        );
    }

    [Fact]
    public async Task Reload_WhereFollowersFail_IsKeptAsTheLastGoodOne()
    {
        var kept = Path.Combine(_folder.Path, "kept");
        using (var services = Services(kept))
        {
            var gateway = services.GetRequiredService<Gateway>();
            gateway.Applied += _ => throw new InvalidOperationException("no exporter");
            gateway.Applying += (change, _) =>
            {
                change.OnCommit(() => throw new OperationCanceledException("too late"));
                return Task.CompletedTask;
            };
            Write("one");
            Assert.True((await gateway.ReloadAsync(None)).IsValid);
            Assert.Contains(_log, l =>
                l.StartsWith(
                    "Critical: The new configuration is live, but ReloadTests failed to apply it: too late",
                    StringComparison.Ordinal
                )
            );
        }

        File.WriteAllText(_file, "routes: [");
        using var next = Services(kept);
        var started = next.GetRequiredService<Gateway>();
        Assert.False((await started.ReloadAsync(None)).IsValid);
        Assert.True(await started.TryStartFromLastGoodAsync(None));
        Assert.Equal("one", started.Config!.Routes.Keys.Single());
    }

    private void Write(string route) =>
        File.WriteAllText(
            _file,
            $"observability: {{ accessLog: {{ to: none }} }}\nroutes: {{ {route}: {{ match: /a, respond: {{ body: {route} }} }} }}"
        );

    private ServiceProvider Services(string? kept = null)
    {
        var services = new ServiceCollection().AddLogging(l => l.AddProvider(new LogLines(_log))).AddLintel(_file);
        if (kept is not null)
            services.AddLintelLastGood(kept);
        return services.BuildServiceProvider();
    }
}
