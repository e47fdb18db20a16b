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
