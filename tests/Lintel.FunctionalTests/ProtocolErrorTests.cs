using System.Diagnostics.Metrics;
using Lintel.TestKit;
using static Lintel.FunctionalTests.FrameClient;

namespace Lintel.FunctionalTests;

/// <summary>
/// What ends an HTTP/2 connection or stream before there is a request has one count, and a line now and then without a stack.
/// </summary>
[EveryTransport]
public sealed class ProtocolErrorTests
{
    private const string Yaml = """
        listeners: { public: { address: "http://127.0.0.1:0", protocols: [http2] } }
        routes: { s: { match: "/s", respond: { body: ok } } }
        """;

    public static TheoryData<string, byte[]> Faults =>
        new()
        {
            { "an index beyond HPACK's table", Frame(Headers, EndHeaders | EndStream, 1, [0xff, 0xff, 0x03]) },
            { "HPACK's index 0, which Kestrel does not expect", Frame(Headers, EndHeaders | EndStream, 1, [0x80]) },
            { "a Huffman string that is none", Frame(Headers, EndHeaders | EndStream, 1, [0, 0x84, 0xff, 0xff, 0xff, 0xff, 1, (byte)'a']) },
            { "a second :method", Frame(Headers, EndHeaders | EndStream, 1, Get("/s", (":method", "GET"))) },
            { "Connection", Frame(Headers, EndHeaders | EndStream, 1, Get("/s", ("connection", "close"))) },
            { "no :path", Frame(Headers, EndHeaders | EndStream, 1, Block((":method", "GET"), (":scheme", "http"), (":authority", "t"))) },
            {
                "headers beyond what Kestrel reads",
                [
                    .. Frame(Headers, EndStream, 1, Get()),
                    .. Enumerable.Range(0, 12).SelectMany(_ => Frame(Continuation, 0, 1, Block(("x-a", new string('a', 15_000))))),
                ]
            },
            { "an even stream", Frame(Headers, EndHeaders | EndStream, 2, Get()) },
            { "a PING of 7 bytes", Frame(Ping, 0, 0, new byte[7]) },
        };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Fault_OfAClient_IsCountedAndToldInOneLineWithoutAStack(string fault, byte[] frames)
    {
        await using var gateway = await InProcessGateway.StartAsync(Yaml);
        Assert.Equal(0, Counted(gateway));
        for (var i = 0; i < 3; i++)
        {
            using var client = await FrameClient.ConnectAsync(gateway.Address);
            await client.TrySendAsync(frames, TimeSpan.FromSeconds(5));
            Assert.Matches("^(reset|goaway|closed)", await client.OutcomeAsync(1));
        }

        await Until.SeenAsync(() => Counted(gateway) == 3 ? fault : null);
        var line = Assert.Single(gateway.Log, l => l.Contains("Protocol error", StringComparison.Ordinal));
        Assert.StartsWith("Information: Protocol error of a client of http://127.0.0.1:0", line, StringComparison.Ordinal);
        Assert.DoesNotContain(gateway.Log, l =>
            !l.StartsWith("Debug", StringComparison.Ordinal) && l.Contains("   at ", StringComparison.Ordinal)
        ); // Kestrel's own say more at that level
    }

    [Fact]
    public async Task Fault_OnAConnectionWithRequests_IsWhatTheirLinesTell()
    {
        var never = new TaskCompletionSource();
        await using var service = await TestService.StartAsync(c => never.Task.WaitAsync(c.RequestAborted));
        await using var gateway = await LoggedGateway.StartAsync(
            $$"""
            listeners: { public: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services: { s: "{{service.Address}}" }
            routes: { s: { match: "/s", forward: s } }
            """
        );
        using var client = await FrameClient.ConnectAsync(gateway.Address);
        await client.SendAsync(Frame(Headers, EndHeaders | EndStream, 1, Get()));
        await Until.SeenAsync(() => service.Seen.IsEmpty ? null : service);
        await client.SendAsync(Frame(Ping, 0, 0, new byte[7]));
        Assert.Equal("goaway FRAME_SIZE_ERROR", await client.OutcomeAsync(1));
        var line = Assert.Single(await gateway.StopAsync());
        Assert.Equal((499, "client-aborted"), (line.GetProperty("status").GetInt32(), line.GetProperty("error").GetString()));
        Assert.Contains("PING", line.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    /// <summary>Streams that the gateway itself resets already have a line of their own.</summary>
    [Fact]
    public async Task Reset_ByTheGateway_IsNoFaultOfTheProtocol()
    {
        await using var gateway = await InProcessGateway.StartAsync(
            """
            listeners: { public: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services: { s: "http://127.0.0.1:1" }
            routes: { s: { match: "/s", forward: s } }
            """
        );
        using var client = await FrameClient.ConnectAsync(gateway.Address);
        await client.SendAsync(
            (byte[])
                [
                    .. Frame(Headers, EndHeaders, 1, Block((":method", "POST"), (":scheme", "http"), (":path", "/s"), (":authority", "t"))),
                    .. Frame(Data, 0, 1, "hello"u8),
                    .. Frame(Headers, EndHeaders | EndStream, 1, Block(("x(", "1"))),
                    .. Frame(Headers, EndHeaders | EndStream, 3, Get("/nowhere")),
                ]
        );
        Assert.Equal("404", await client.OutcomeAsync(3));
        Assert.Equal(0, Counted(gateway));
    }

    /// <summary>The value of the listener's series.</summary>
    private static long Counted(InProcessGateway gateway)
    {
        var (meter, counted) = (gateway.Meter, -1L);
        using var listener = new MeterListener
        {
            InstrumentPublished = (i, l) =>
            {
                if (i.Meter == meter && i.Name == "lintel.listener.protocol_errors")
                    l.EnableMeasurementEvents(i);
            },
        };
        listener.SetMeasurementEventCallback<long>(
            (_, value, tags, _) => counted = tags[0] is { Key: "lintel.listener", Value: "public" } ? value : counted
        );
        listener.Start();
        listener.RecordObservableInstruments();
        return counted;
    }
}
