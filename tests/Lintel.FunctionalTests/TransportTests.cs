using Xunit.v3;

namespace Lintel.FunctionalTests;

/// <summary>
/// What is tested moves bytes of clients or services, so <c>test.sh</c> runs it on the event loops and again on Kestrel's sockets.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class EveryTransportAttribute : Attribute, ITraitAttribute
{
    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() => [new(TransportTests.Trait, "every")];
}

/// <summary>
/// What is tested is the same code whatever carries the bytes: one run, on the event loops, is enough. On a method: although the rest of
/// its class depends on the transport.
/// </summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
internal sealed class AnyTransportAttribute : Attribute, ITraitAttribute
{
    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() => [new(TransportTests.Trait, "any")];
}

/// <summary>Which transport this run is on.</summary>
internal static class Transport
{
    /// <summary>On Kestrel's sockets and YARP's forwarder, not on the event loops.</summary>
    public static bool IsSockets => Environment.GetEnvironmentVariable("LINTEL_TRANSPORT") == "sockets";
}

/// <summary>Every class declares whether it depends on the transport.</summary>
[AnyTransport]
public sealed class TransportTests
{
    /// <summary>The trait that <c>test.sh</c> filters by.</summary>
    internal const string Trait = "Transport";

    [Fact]
    public void Classes_OfThisSuite_SayWhetherTheTransportMatters()
    {
        var classes = typeof(TransportTests)
            .Assembly.GetTypes()
            .Where(t => t.GetMethods().Any(m => m.IsDefined(typeof(FactAttribute), inherit: true)))
            .ToList();
        Assert.True(classes.Count > 60);
        Assert.Empty(
            classes
                .Where(t => t.IsDefined(typeof(EveryTransportAttribute), false) == t.IsDefined(typeof(AnyTransportAttribute), false))
                .Select(t => t.Name)
        );
    }

    [Fact]
    public void SecondRun_OfTheScript_LeavesOutWhatIsMarked() =>
        Assert.Contains(
            $"LINTEL_TRANSPORT=sockets run Lintel.FunctionalTests:sockets Lintel.FunctionalTests -trait- {Trait}=any\n",
            File.ReadAllText(Path.Combine(GatewayProcess.Repository, "test.sh")),
            StringComparison.Ordinal
        );
}
