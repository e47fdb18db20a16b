using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Lintel.TestKit;
using static Lintel.FunctionalTests.FrameClient;

namespace Lintel.FunctionalTests;

/// <summary>Whatever fails, on either side: clients, access log and metrics report the same requests.</summary>
[EveryTransport]
public sealed class AccountingTests
{
    private const int Requests = 150;

    /// <summary>Answers of a service, from valid to broken.</summary>
    private static readonly string[] Answers =
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 205 Reset Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n",
        "nonsense\r\n\r\n",
        "",
    ];

    private static readonly string[] Routes = ["/s/a", "/composed", "/fixed", "/away", "/nowhere", "/s/%zz"];

    private const string Span = "00000000000000ff";

    private static readonly string[] Methods = ["GET", "HEAD", "POST", "OPTIONS", "TRACE", "patch"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task EveryRequest_OfRandomFaults_HasOneLineAndOneCount(int seed)
    {
        var random = new Random(seed);
        using var server = new RawServer(async (socket, _) => await socket.SendAsync(Encoding.Latin1.GetBytes(Pick(random, Answers))));
        var recorded = 0;
        await using var gateway = await LoggedGateway.StartAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0", h2: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services: { s: "{{server.Address}}" }
            routes:
              composed: { match: "/composed", compose: { calls: { a: s/a } } }
              fixed: { match: "/fixed", respond: { body: fine } }
              away: { match: "/away", redirect: "/elsewhere" }
              s: { match: "/s/{**rest}", forward: s }
            """
        );
        using var listener = Listen(gateway, "http.server.request.duration", () => Interlocked.Increment(ref recorded));
        var seen = new Dictionary<string, int>();
        for (var i = 1; i <= Requests; i++)
        {
            var trace = i.ToString("x32", CultureInfo.InvariantCulture);
            seen[trace] = random.Next(3) == 0 ? await OverHttp2Async(gateway, random, trace) : await OverHttp1Async(gateway, random, trace);
        }

        // a client that disconnected early is noticed a moment later
        await Until.TrueAsync(() => Active(gateway) == 0 && Volatile.Read(ref recorded) >= Requests);
        var logged = await gateway.StopAsync();
        Assert.Equal((Requests, Requests), (recorded, logged.Length));
        Assert.All(logged, line =>
        {
            // A head that Kestrel refuses leaves no trace to find the client by.
            if (!seen.Remove(line.GetProperty("traceId").GetString()!, out var status) || status == 0)
                return;
            var logged = AnswerContentTests.Status(line);
            var left = logged == 499 && line.GetProperty("protocol").GetString() == "HTTP/2"; // its client leaves at the head
            Assert.True(status == logged || left, $"a client saw {status}, the log has {line}");
        });
    }

    private static async Task<int> OverHttp1Async(LoggedGateway gateway, Random random, string trace)
    {
        using var client = await gateway.ConnectAsync();
        var method = Pick(random, Methods);
        var body =
            method == "POST" && random.Next(2) == 0
                ? Pick(
                    random,
                    [
                        "Content-Length: 5\r\n\r\nhello",
                        "Content-Length: 5\r\n\r\nhel",
                        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                        "Transfer-Encoding: chunked\r\n\r\nx\r\n",
                    ]
                )
                : "\r\n";
        await client.SendAsync($"{method} {Pick(random, Routes)} HTTP/1.1\r\nHost: t\r\ntraceparent: 00-{trace}-{Span}-01\r\n{body}");
        if (body.EndsWith("hel", StringComparison.Ordinal) || random.Next(8) == 0)
        {
            client.Socket.LingerState = new LingerOption(true, 0); // it leaves, with a reset
            return 0;
        }

        try
        {
            return (await client.ReadResponseAsync(hasBody: method != "HEAD")).Status;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static async Task<int> OverHttp2Async(LoggedGateway gateway, Random random, string trace)
    {
        using var client = await FrameClient.ConnectAsync(gateway.Running.AddressOf("h2"));
        (string, string)[] head =
        [
            (":method", Pick(random, ["GET", "HEAD", "POST", "OPTIONS"])),
            (":scheme", "http"),
            (":path", Pick(random, Routes)),
            (":authority", "t"),
            ("traceparent", $"00-{trace}-{Span}-01"),
        ];
        byte[] frames = random.Next(4) switch
        {
            0 => [.. Frame(Headers, EndHeaders, 1, Block(head)), .. Frame(Data, EndStream, 1, "hello"u8)],
            1 =>
            [
                .. Frame(Headers, EndHeaders, 1, Block(head)),
                .. Frame(Data, 0, 1, "hello"u8),
                .. Frame(Headers, EndHeaders | EndStream, 1, Block((Pick(random, ["x-sum", "x:sum"]), "1"))),
            ],
            2 => Frame(Headers, EndHeaders | EndStream, 1, Block([.. head, ("x-a", Pick(random, ["1", " 1", "\a"]))])),
            _ => Frame(Headers, EndHeaders | EndStream, 1, Block(head)),
        };
        await client.SendAsync(frames);
        return int.TryParse(await client.OutcomeAsync(1), CultureInfo.InvariantCulture, out var status) ? status : 0;
    }

    private static T Pick<T>(Random random, T[] choices)
    {
        lock (random)
            return choices[random.Next(choices.Length)];
    }

    private static MeterListener Listen(LoggedGateway gateway, string name, Action recorded)
    {
        var meter = gateway.Running.Meter;
        var listener = new MeterListener
        {
            InstrumentPublished = (i, l) =>
            {
                if (i.Meter == meter && i.Name == name)
                    l.EnableMeasurementEvents(i);
            },
        };
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => recorded());
        listener.Start();
        return listener;
    }

    private static long Active(LoggedGateway gateway)
    {
        var meter = gateway.Running.Meter;
        var sum = 0L;
        using var listener = new MeterListener
        {
            InstrumentPublished = (i, l) =>
            {
                if (i.Meter == meter && i.Name == "http.server.active_requests")
                    l.EnableMeasurementEvents(i);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, value, _, _) => sum += value);
        listener.Start();
        listener.RecordObservableInstruments();
        return sum;
    }
}
