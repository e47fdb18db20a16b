using System.Text.Json;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>The trace headers that services receive.</summary>
[EveryTransport]
public sealed class TraceContextTests
{
    private const string Trace = "0af7651916cd43dd8448eb211c80319c";
    private const string Parent = "b7ad6b7169203331";
    private const string Valid = $"traceparent: 00-{Trace}-{Parent}-01\r\n";

    [Theory]
    [InlineData(Valid, "-01")]
    [InlineData($"traceparent: 00-{Trace}-{Parent}-00\r\n", "-00")]
    [InlineData($"traceparent: 00-{Trace}-{Parent}-fe\r\n", "-00")]
    [InlineData($"TRACEPARENT:\t 00-{Trace}-{Parent}-01 \r\n", "-01")]
    [InlineData($"traceparent: 7f-{Trace}-{Parent}-01-more\r\n", "-01")]
    public async Task TraceParent_ThatIsValid_GoesOnWithAParentOfOurs(string header, string flags)
    {
        var (service, _) = await SendAsync(header);
        Assert.Matches($"^00-{Trace}-[0-9a-f]{{16}}{flags}$", service["traceparent"]);
        Assert.DoesNotContain(Parent, service["traceparent"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData($"traceparent: ff-{Trace}-{Parent}-01\r\n")]
    [InlineData($"traceparent: 00-{Trace}-{Parent}-01-more\r\n")]
    [InlineData($"traceparent: 00-{Trace}-0000000000000000-01\r\n")]
    [InlineData($"traceparent: 00-0AF7651916CD43DD8448EB211C80319C-{Parent}-01\r\n")]
    [InlineData("traceparent: \r\n")]
    [InlineData(Valid + Valid)]
    public async Task TraceParent_ThatIsNot_GivesWayToANewTraceWithoutItsState(string header)
    {
        var (service, _) = await SendAsync(header + "tracestate: a=1\r\n");
        Assert.Matches("^00-[0-9a-f]{32}-[0-9a-f]{16}-00$", service["traceparent"]);
        Assert.DoesNotContain(Trace, service["traceparent"]!, StringComparison.OrdinalIgnoreCase);
        Assert.Null(service["tracestate"]);
    }

    [Theory]
    [InlineData("tracestate: a=1,b@c=2\r\n", "a=1,b@c=2")]
    [InlineData("tracestate: a=1\r\ntracestate: b=2, ,c=3\r\nTraceState: a=4\r\n", "a=1,b=2,c=3")]
    [InlineData("tracestate: a=1\r\ntracestate: B=2\r\n", null)]
    [InlineData("tracestate: \r\n", null)]
    public async Task TraceState_OfAnyNumberOfLines_IsOneOrNone(string headers, string? expected)
    {
        var (service, _) = await SendAsync(Valid + headers);
        Assert.Equal(expected, service["tracestate"]);
        Assert.StartsWith($"00-{Trace}-", service["traceparent"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Baggage_WithinItsLimits_PassesAndTheRestDoesNot()
    {
        var (service, _) = await SendAsync("baggage: userId=alice;p=1 , b=2\r\nbaggage: c=%20\r\n");
        Assert.Equal("userId=alice;p=1 , b=2,c=%20", service["baggage"]);
        var many = string.Join(',', Enumerable.Range(0, 70).Select(i => $"k{i}=v"));
        (service, _) = await SendAsync($"baggage: {many}\r\n");
        Assert.Equal(string.Join(',', Enumerable.Range(0, 64).Select(i => $"k{i}=v")), service["baggage"]);
    }

    [Fact]
    public async Task Route_ThatRemovesOrSetsThem_HasItsWay()
    {
        var (service, _) = await SendAsync(Valid + "tracestate: a=1\r\nbaggage: b=2\r\n", "removeHeaders: [traceparent, baggage]");
        Assert.Null(service["traceparent"]);
        Assert.Null(service["tracestate"]);
        Assert.Null(service["baggage"]);
        (service, _) = await SendAsync(Valid, $$"""setHeaders: { traceparent: "00-{{Trace}}-1111111111111111-00" }""");
        Assert.Equal($"00-{Trace}-1111111111111111-00", service["traceparent"]);
        (service, _) = await SendAsync(Valid + "tracestate: a=1\r\n", "removeHeaders: [tracestate]");
        Assert.Null(service["tracestate"]);
        Assert.NotNull(service["traceparent"]);
    }

    [Fact]
    public async Task Edge_ThatIgnoresParents_BeginsATraceOfItsOwn()
    {
        var (service, problem) = await SendAsync(
            Valid + "tracestate: a=1\r\nbaggage: b=2\r\n",
            more: "observability: { accessLog: { to: none }, tracing: { parent: ignore } }"
        );
        Assert.Matches("^00-[0-9a-f]{32}-[0-9a-f]{16}-00$", service["traceparent"]);
        Assert.DoesNotContain(Trace, service["traceparent"]!, StringComparison.Ordinal);
        Assert.Null(service["tracestate"]);
        Assert.Equal("b=2", service["baggage"]);
        Assert.NotEqual(Trace, problem);
    }

    [Fact]
    public async Task Problem_OfATracedRequest_NamesItsTrace()
    {
        var (_, problem) = await SendAsync(Valid);
        Assert.Equal(Trace, problem);
    }

    [Fact]
    public async Task Copy_ForAMirror_HasAParentOfItsOwn()
    {
        await using var service = await TestService.StartAsync();
        await using var mirror = await TestService.StartAsync();
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service.Address}}", m: "{{mirror.Address}}" }
            routes: { r: { match: /, forward: { service: s, mirror: m } } }
            """
        );
        using var client = await gateway.ConnectAsync();
        Assert.Equal(200, (await client.GetAsync("/", Valid + "tracestate: a=1\r\n")).Status);
        var copy = await Until.SeenAsync(() => mirror.Seen.FirstOrDefault());
        var original = Assert.Single(service.Seen);
        Assert.Matches($"^00-{Trace}-[0-9a-f]{{16}}-01$", copy["traceparent"]);
        Assert.NotEqual(original["traceparent"], copy["traceparent"]);
        Assert.Equal("a=1", copy["tracestate"]);
    }

    [Fact]
    public async Task ServerTiming_WhenAsked_TellsBothTimesAndKeepsTheServices()
    {
        await using var service = await TestService.StartAsync(async c =>
        {
            if (c.Request.Path == "/slow")
                await Task.Delay(60);
            c.Response.Headers["Server-Timing"] = "db;dur=1";
        });
        const string Routes =
            "routes: { r: { match: \"/{**p}\", forward: s }, g: { match: /g, respond: { body: x } }, h: { match: /h, forward: s, "
            + "transform: { response: { removeHeaders: [Server-Timing] } } } }";
        await using (
            var gateway = await InProcessGateway.StartAsync(
                $"services: {{ s: \"{service.Address}\" }}\n{Routes}\nobservability: {{ accessLog: {{ to: none }}, serverTiming: true }}"
            )
        )
        {
            using var client = await gateway.ConnectAsync();
            var timing = (await client.GetAsync("/slow"))["Server-Timing"]!;
            Assert.Matches(@"^db;dur=1\|upstream;dur=[0-9]+(\.[0-9]{1,3})?, gateway;dur=[0-9]+(\.[0-9]{1,3})?$", timing);
            Assert.InRange(
                double.Parse(timing.Split("upstream;dur=")[1].Split(',')[0], System.Globalization.CultureInfo.InvariantCulture),
                50,
                20_000
            );
            Assert.Null((await client.GetAsync("/g"))["Server-Timing"]);
            Assert.Null((await client.GetAsync("/h"))["Server-Timing"]);
        }

        await using var silent = await InProcessGateway.StartAsync($"services: {{ s: \"{service.Address}\" }}\n{Routes}");
        using var other = await silent.ConnectAsync();
        Assert.Equal("db;dur=1", (await other.GetAsync("/"))["Server-Timing"]);
    }

    /// <summary>
    /// Sends a request with these headers; returns what the service received, and the trace id of a problem for the same headers.
    /// </summary>
    private static async Task<(SeenRequest Service, string? Problem)> SendAsync(string headers, string request = "", string more = "")
    {
        await using var service = await TestService.StartAsync();
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services: { s: "{{service.Address}}" }
            routes: { r: { match: /, forward: s, transform: { request: { {{request}} } } } }
            {{more}}
            """
        );
        using var client = await gateway.ConnectAsync();
        Assert.Equal(200, (await client.GetAsync("/", headers)).Status);
        using var problem = JsonDocument.Parse((await client.GetAsync("/nowhere", headers)).Body);
        return (Assert.Single(service.Seen), problem.RootElement.GetProperty("traceId").GetString());
    }
}
