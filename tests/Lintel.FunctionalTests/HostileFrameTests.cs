using System.Text;
using static Lintel.FunctionalTests.FrameClient;

namespace Lintel.FunctionalTests;

/// <summary>Hostile HTTP/2, frame by frame: every line of <see cref="HostileFrames"/>, and the document made from it.</summary>
[EveryTransport]
public sealed class HostileFrameTests : IClassFixture<HostileFrameTests.SharedGateways>
{
    private readonly SharedGateways _shared;

    public HostileFrameTests(SharedGateways shared)
    {
        _shared = shared;
        _shared.Refusing.Service.Reset();
        _shared.Passing.Service.Reset();
    }

    public static TheoryData<int> Indexes => [.. Enumerable.Range(0, HostileFrames.All.Count)];

    [Theory]
    [MemberData(nameof(Indexes))]
    public async Task HostileFrame_OfAnyKind_IsRefusedAndNotForwarded(int index)
    {
        var hostile = HostileFrames.All[index];
        var served = Gateway(hostile);
        var outcome = await SendAsync(hostile);
        Assert.Matches("^(4[0-9][0-9]|reset .*|goaway .*|closed)$", outcome);
        if (!hostile.IsInBody)
            Assert.DoesNotContain(served.Service.Seen, s => s.Target != "/s/next");
        await AssertServesOthersAsync(served);
    }

    [Fact]
    public async Task Document_OfHostileFrames_SaysWhatReallyHappens()
    {
        var file = Path.Combine(GatewayProcess.Repository, "docs", "hostile-frames.md");
        var text = new StringBuilder(
            """
            # Hostile HTTP/2 and its answers

            Made from `tests/Lintel.FunctionalTests/HostileFrames.cs`, whose every line is sent to a gateway by a client that writes frames (`HostileFrameTests`), and from
            what came back: the stream or the connection ends with an error, or there is an answer of that status. Nothing of a refused head reaches a service.

            | what is sent | answer |
            | --- | --- |

            """
        );
        foreach (var hostile in HostileFrames.All)
        {
            var outcome = InWords(await SendAsync(hostile));
            if (hostile.IsRefusedByWhoIsFirst)
            {
                Assert.True(outcome is "400" or "the stream ends", outcome);
                outcome = "400, or the stream ends";
            }

            text.Append($"| {hostile.What} | {outcome} |\n");
        }

        if (Environment.GetEnvironmentVariable("LINTEL_UPDATE_GOLDEN") == "1")
            await File.WriteAllTextAsync(file, text.ToString(), TestContext.Current.CancellationToken);
        Assert.Equal(await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken), text.ToString());
    }

    /// <summary>
    /// Which error it is, is Kestrel's to choose; whether the last frame is still seen before the connection ends, is chance.
    /// </summary>
    private static string InWords(string outcome) =>
        outcome.Split(' ')[0] switch
        {
            "goaway" or "closed" => "the connection ends",
            "reset" => "the stream ends",
            var status => status,
        };

    private ServedGateway Gateway(HostileFrame hostile) => hostile.IsInBody ? _shared.Passing : _shared.Refusing;

    private async Task<string> SendAsync(HostileFrame hostile)
    {
        using var client = await ConnectAsync(Gateway(hostile).Gateway.Address);
        await client.SendAsync(hostile.Bytes);
        // stream 1 stays silent if its frames are ignored
        await client.TrySendAsync(Frame(Headers, EndHeaders | EndStream, 3, Get("/s/next")), TimeSpan.FromSeconds(5));
        return await client.OutcomeAsync(1);
    }

    private static async Task AssertServesOthersAsync(ServedGateway served)
    {
        using var client = await ConnectAsync(served.Gateway.Address);
        await client.SendAsync(Frame(Headers, EndHeaders | EndStream, 1, Get()));
        Assert.Equal("200", await client.OutcomeAsync(1));
    }

    /// <summary>For all tests: a refused request leaves no state that another request could see.</summary>
    public sealed class SharedGateways()
        : HostileGateways(service =>
            $$"""
                listeners: { public: { address: "http://127.0.0.1:0", protocols: [http2], limits: { minResponseRate: 1MiB } } }
                services: { s: "{{service}}" }
                routes:
                  s: { match: "/s/{**rest}", forward: s }
                  big: { match: "/big", forward: s }
                """
        );
}
