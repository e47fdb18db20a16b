using Lintel.Hosting;

namespace Lintel.Tests.Architecture;

/// <summary>The public types of the library, in addition to the lists that the build checks (PublicAPI.Unshipped.txt).</summary>
public sealed class PublicApiTests
{
    private static readonly Type[] Exported = typeof(Gateway).Assembly.GetExportedTypes();

    [Fact]
    public void Records_ThatArePublic_AreNotPositional() =>
        Assert.Empty(Exported.Where(t => t.GetMethod("Deconstruct") is not null).Select(t => t.FullName));

    [Fact]
    public void Types_OutsideOfConfiguration_AreThoseThatAnApplicationUses() =>
        Assert.Equal(
            [
                "Lintel.Hosting.ConfigChange",
                "Lintel.Hosting.Gateway",
                "Lintel.Hosting.IGatewayFeature",
                "Lintel.Hosting.IGatewayRouteMetadata",
                "Lintel.Observability.GatewayTelemetry",
                "Microsoft.AspNetCore.Builder.LintelEndpointExtensions",
                "Microsoft.Extensions.DependencyInjection.LintelServiceCollectionExtensions",
            ],
            Exported
                .Where(t => t.Namespace != "Lintel.Config" && !t.Namespace!.StartsWith("Lintel.Policies.", StringComparison.Ordinal))
                .Select(t => t.FullName!)
                .Order(StringComparer.Ordinal)
        );
}
