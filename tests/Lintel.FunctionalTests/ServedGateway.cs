using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>A gateway before one service, for classes whose tests share it.</summary>
public sealed class ServedGateway : IAsyncDisposable
{
    private ServedGateway(TestService service, InProcessGateway gateway) => (Service, Gateway) = (service, gateway);

    public TestService Service { get; }

    public InProcessGateway Gateway { get; }

    /// <summary>Starts both.</summary>
    /// <param name="configure">The gateway's configuration, from the service's address.</param>
    public static async Task<ServedGateway> StartAsync(Func<string, string> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        var service = await TestService.StartAsync();
        return new ServedGateway(service, await InProcessGateway.StartAsync(configure(service.Address)));
    }

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await Service.DisposeAsync();
    }
}

/// <summary>Two gateways of one configuration for a class that sends what has to be refused.</summary>
/// <param name="configure">The configuration, from the service's address.</param>
public abstract class HostileGateways(Func<string, string> configure) : IAsyncLifetime
{
    /// <summary>Where nothing of what is refused may reach the service.</summary>
    internal ServedGateway Refusing { get; private set; } = null!;

    /// <summary>Where the beginning of it may, at a moment when the next test has begun.</summary>
    internal ServedGateway Passing { get; private set; } = null!;

    public async ValueTask InitializeAsync() =>
        (Refusing, Passing) = (await ServedGateway.StartAsync(configure), await ServedGateway.StartAsync(configure));

    public async ValueTask DisposeAsync()
    {
        await Refusing.DisposeAsync();
        await Passing.DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
