using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Health;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Services;

public sealed class ServiceRegistryTests
{
    private static readonly TimeoutsConfig Defaults = new();

    [Fact]
    public void Acquire_OfAnEqualConfiguration_GivesTheSameService()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var first = registry.Acquire("users", Config("http://10.0.0.1"), Defaults);
        Assert.Same(first, registry.Acquire("users", Config("http://10.0.0.1"), Defaults));
        Assert.NotSame(first, registry.Acquire("orders", Config("http://10.0.0.1"), Defaults));
        Assert.NotSame(
            first,
            registry.Acquire("users", Config("http://10.0.0.1"), new TimeoutsConfig { Request = TimeSpan.FromSeconds(1) })
        );
    }

    [Fact]
    public void Acquire_WithOtherInstances_KeepsConnectionsAndTheInstancesThatStay()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var first = registry.Acquire("users", Config("http://10.0.0.1", "http://10.0.0.2"), Defaults);
        first.Instances.All[1].Enter();
        var second = registry.Acquire("users", Config("http://10.0.0.2", "http://10.0.0.3"), Defaults);
        Assert.NotSame(first, second);
        Assert.Same(first.Invoker, second.Invoker);
        Assert.Same(first.Instances.All[1], second.Instances.All[0]);
        Assert.Equal(1, second.Instances.All[0].Active);
    }

    [Fact]
    public void Acquire_WithAnotherWeight_KeepsTheInstance()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var first = registry.Acquire("users", Config("http://10.0.0.1"), Defaults);
        var heavier = new ServiceConfig { Instances = [new InstanceConfig { Address = new Uri("http://10.0.0.1"), Weight = 2 }] };
        var second = registry.Acquire("users", heavier, Defaults);
        Assert.Same(first.Instances.All[0], second.Instances.All[0]);
        Assert.Equal((1, 2), (first.Instances.Members[0].Config.Weight, second.Instances.Members[0].Config.Weight));
    }

    [Theory]
    [InlineData("connect")]
    [InlineData("protocol")]
    [InlineData("scheme")]
    public void Acquire_WithOtherConnections_MakesThemAnew(string change)
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var config = Config("http://10.0.0.1");
        var other = change switch
        {
            "connect" => config with { Timeouts = new TimeoutsConfig { Connect = TimeSpan.FromSeconds(9) } },
            "protocol" => config with { Protocol = ServiceProtocol.Http2 },
            _ => Config("https://10.0.0.1"),
        };
        Assert.NotSame(registry.Acquire("users", config, Defaults).Invoker, registry.Acquire("users", other, Defaults).Invoker);
    }

    /// <summary>A renewed certificate exchanges the connections of an instance, and leaves it what it is.</summary>
    [Fact]
    public void Acquire_WithOtherConnections_KeepsWhatIsKnownOfTheInstances()
    {
        var time = new FakeTimeProvider();
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies(time: time));
        var config = Config("http://10.0.0.1", "http://10.0.0.2") with
        {
            Balancing = new BalancingConfig { Ewma = new() },
            SlowStart = TimeSpan.FromSeconds(30),
        };
        var first = registry.Acquire("users", config, Defaults);
        var (drained, busy) = (first.Instances.All[0], first.Instances.All[1]);
        first.HoldBack(drained, HoldKind.Drained, "127.0.0.1", "deploy");
        busy.Health.EjectedUntil = time.GetUtcNow() + TimeSpan.FromHours(1);
        busy.Enter();

        var other = config with
        {
            Protocol = ServiceProtocol.Http2,
            Instances = [.. config.Instances, new InstanceConfig { Address = new Uri("http://10.0.0.3") }],
        };
        time.Advance(TimeSpan.FromSeconds(1));
        var second = registry.Acquire("users", other, Defaults);
        var after = second.Instances.All;
        Assert.NotSame(drained, after[0]);
        Assert.Equal(("deploy", HoldKind.Drained), (after[0].Health.Hold!.Reason, after[0].Health.Hold!.Kind));
        Assert.Equal((Unavailability.Ejected, 1), (after[1].Health.Unavailability, after[1].Active));
        Assert.Same(busy.Latency, after[1].Latency);
        Assert.Equal(0, after[0].Health.Joined);
        Assert.Equal(time.GetTimestamp(), after[2].Health.Joined); // the only new one

        after[1].Enter();
        Assert.Equal((1, 2), (busy.Active, after[1].Active));
        busy.Exit();
        Assert.Equal((0, 1), (busy.Active, after[1].Active));

        second.Return(after[0], "127.0.0.1", null); // on either generation, it holds for both
        Assert.All([first, second], s => Assert.Contains(s.Instances.Shares.Taking, t => t.Instance.Name == drained.Name));
    }

    [Fact]
    public void Acquire_OfAThirdGeneration_CountsTheRequestsOfAllBefore()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var config = Config("http://10.0.0.1");
        var first = registry.Acquire("users", config, Defaults).Instances.All[0];
        first.Enter();
        registry.Acquire("users", config with { Protocol = ServiceProtocol.Http2 }, Defaults);
        var third = registry.Acquire("users", config, Defaults).Instances.All[0];
        Assert.Equal(1, third.Active);
        first.Exit();
        Assert.Equal(0, third.Active);
    }

    [Fact]
    public void Find_OfARunningService_GivesTheOneThatFits_AndUsesNothing()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        Assert.Null(registry.Find("users", Config("http://10.0.0.1"), Defaults));
        var first = registry.Acquire("users", Config("http://10.0.0.1"), Defaults);
        var second = registry.Acquire("users", Config("http://10.0.0.2"), Defaults); // a reload that may still be refused
        Assert.Same(first, registry.Find("users", Config("http://10.0.0.1"), Defaults));
        Assert.Same(second, registry.Find("users", Config("http://10.0.0.2"), Defaults));
        Assert.Null(registry.Find("users", Config("http://10.0.0.3"), Defaults));
        Assert.Null(registry.Find("orders", Config("http://10.0.0.1"), Defaults));
        registry.Release(first);
        Assert.Null(registry.Find("users", Config("http://10.0.0.1"), Defaults));
    }

    [Fact]
    public async Task Release_ByTheLastUser_ClosesTheConnections()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var service = registry.Acquire("users", Config("http://10.0.0.1"), Defaults);
        registry.Acquire("users", Config("http://10.0.0.1"), Defaults);
        registry.Release(service);
        Assert.False(await IsDisposedAsync(service.Invoker));
        registry.Release(service);
        Assert.True(await IsDisposedAsync(service.Invoker));
        Assert.NotSame(service, registry.Acquire("users", Config("http://10.0.0.1"), Defaults));
    }

    [Fact]
    public async Task Release_OfTheServiceBefore_LeavesSharedConnectionsOpen()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var first = registry.Acquire("users", Config("http://10.0.0.1"), Defaults);
        var second = registry.Acquire("users", Config("http://10.0.0.2"), Defaults);
        registry.Release(first);
        Assert.False(await IsDisposedAsync(second.Invoker));
        registry.Release(second);
        Assert.True(await IsDisposedAsync(second.Invoker));
    }

    [Fact]
    public void Release_OfARefusedReload_GoesBackToTheServiceThatRuns()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var running = registry.Acquire("users", Config("http://10.0.0.1"), Defaults);
        registry.Release(registry.Acquire("users", Config("http://10.0.0.2"), Defaults));
        Assert.Same(running, registry.Acquire("users", Config("http://10.0.0.1"), Defaults));
    }

    [Theory]
    [InlineData("request", "gateway.test", "gateway.test")]
    [InlineData("request", "", "10.0.0.1:81")]
    [InlineData("request", null, "10.0.0.1:81")]
    [InlineData("instance", "gateway.test", "10.0.0.1:81")]
    [InlineData("users.internal", "gateway.test", "users.internal")]
    public void Host_ForAnInstance_FollowsTheConfiguration(string host, string? client, string expected)
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var service = registry.Acquire("users", Config("http://10.0.0.1:81/base") with { Host = host }, Defaults);
        Assert.Equal(expected, service.HostFor(service.Instances.All[0], client));
        Assert.Equal(("/base", "http://10.0.0.1:81"), (service.Instances.All[0].BasePath, service.Instances.All[0].Prefix));
    }

    [Fact]
    public void Timeouts_OfAService_ComeFromItThenDefaultsThenBuiltIn()
    {
        using var registry = new ServiceRegistry(new Random(1), TestMetrics.Dependencies());
        var config = Config("http://10.0.0.1") with { Timeouts = new TimeoutsConfig { Request = TimeSpan.FromSeconds(1) } };
        var service = registry.Acquire(
            "users",
            config,
            new TimeoutsConfig { Request = TimeSpan.FromSeconds(2), Idle = TimeSpan.FromSeconds(3) }
        );
        Assert.Equal((TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3)), (service.RequestTimeout, service.IdleTimeout));
        Assert.Equal(TimeoutsConfig.DefaultRequest, registry.Acquire("orders", Config("http://10.0.0.1"), Defaults).RequestTimeout);
    }

    /// <summary>A disposed invoker says so before it sends; an open one gets as far as to see that the request is canceled.</summary>
    private static async Task<bool> IsDisposedAsync(HttpMessageInvoker invoker)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "http://127.0.0.1:1/");
        try
        {
            await invoker.SendAsync(request, new CancellationToken(canceled: true));
            return false;
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private static ServiceConfig Config(params string[] addresses) =>
        new() { Instances = [.. addresses.Select(a => new InstanceConfig { Address = new Uri(a) })] };
}
