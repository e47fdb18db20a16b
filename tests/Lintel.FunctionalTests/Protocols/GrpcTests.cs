using Google.Protobuf;
using Grpc.Core;
using Lintel.TestKit;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>gRPC from Grpc.Net.Client to Grpc.AspNetCore through the gateway.</summary>
[EveryTransport]
public sealed class GrpcTests(GrpcFixture fixture) : IClassFixture<GrpcFixture>
{
    private static DateTime Soon => TimeProvider.System.GetUtcNow().UtcDateTime.Add(GatewayProcess.Patience);

    [Fact]
    public async Task Unary_PassesMessageMetadataAndTrailers()
    {
        byte[] bytes = [0, 1, 2, 253, 254, 255];
        using var call = fixture
            .Plain()
            .SayAsync(new Ask { Text = "hello" }, new Metadata { { "text", "words" }, { "data-bin", bytes } }, Soon);
        var head = await call.ResponseHeadersAsync;
        Assert.Equal("hello", (await call).Text);
        Assert.Equal("words", head.GetValue("seen-text"));
        Assert.NotEqual("", head.GetValue("seen-timeout"));
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
        Assert.Equal("here", call.GetTrailers().GetValue("end"));
        Assert.Equal(bytes, call.GetTrailers().GetValueBytes("echo-bin"));
    }

    [Fact]
    public async Task Unary_OfManyMebibytesBothWays_IsWhole()
    {
        var answer = await fixture
            .Plain()
            .SayAsync(new Ask { Data = ByteString.CopyFrom(new byte[20 << 20]), Number = 30 << 20 }, deadline: Soon);
        Assert.Equal(20 << 20, answer.Number);
        Assert.Equal(30 << 20, answer.Data.Length);
    }

    [Fact]
    public async Task ClientStreaming_IsCollected()
    {
        using var call = fixture.Plain().Collect(deadline: Soon);
        for (var i = 1; i <= 100; i++)
            await call.RequestStream.WriteAsync(new Ask { Number = i, Text = "x" });
        await call.RequestStream.CompleteAsync();
        Assert.Equal(5050, (await call).Number);
    }

    [Fact]
    public async Task ServerStreaming_ComesMessageByMessage()
    {
        fixture.Server.Canceled = new();
        using var call = fixture.Plain().Count(new Ask { Number = 3, Text = "hang" }, deadline: Soon);
        for (var i = 0; i < 3; i++)
        {
            Assert.True(await call.ResponseStream.MoveNext());
            Assert.Equal(i, call.ResponseStream.Current.Number);
        }

        call.Dispose(); // the client gives up, and the service learns of it
        await fixture.Server.Canceled.Task.WaitAsync(GatewayProcess.Patience);
    }

    [Fact]
    public async Task Duplex_IsAConversation()
    {
        using var call = fixture.Plain().Chat(deadline: Soon);
        for (var i = 0; i < 50; i++)
        {
            await call.RequestStream.WriteAsync(new Ask { Text = "t" + i, Number = i });
            Assert.True(await call.ResponseStream.MoveNext());
            Assert.Equal("t" + i, call.ResponseStream.Current.Text);
        }

        await call.RequestStream.WriteAsync(new Ask { Text = "bye" });
        Assert.False(await call.ResponseStream.MoveNext());
        Assert.Equal(StatusCode.OK, call.GetStatus().StatusCode);
    }

    [Fact]
    public async Task Duplex_CanceledByTheClient_IsCanceledAtTheService()
    {
        fixture.Server.Canceled = new();
        using (var call = fixture.Plain().Chat(deadline: Soon))
        {
            await call.RequestStream.WriteAsync(new Ask());
            Assert.True(await call.ResponseStream.MoveNext());
        }

        await fixture.Server.Canceled.Task.WaitAsync(GatewayProcess.Patience);
    }

    [Theory]
    [InlineData("refuse", 0, StatusCode.FailedPrecondition, "not now: 100 % \u00fcber")] // Trailers-Only
    [InlineData("fail", 2, StatusCode.DataLoss, "lost at 2")]
    public async Task Status_OfTheService_Passes(string what, int messages, StatusCode status, string detail)
    {
        using var call = fixture.Plain().Count(new Ask { Number = messages, Text = what }, deadline: Soon);
        for (var i = 0; i < messages; i++)
            Assert.True(await call.ResponseStream.MoveNext());
        var failure = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());
        Assert.Equal(status, failure.StatusCode);
        Assert.Equal(detail, failure.Status.Detail);
        if (messages == 0)
            Assert.Equal("tired", failure.Trailers.GetValue("reason"));
    }

    [Fact]
    public async Task Deadline_OfTheClient_IsKeptByTheGateway()
    {
        // A client that does not watch its own deadline: only the header has it. Long enough for the first message on a busy machine.
        fixture.Server.Canceled = new();
        using var call = fixture.Plain().Count(new Ask { Number = 1, Text = "hang" }, new Metadata { { "x-timeout", "8S" } });
        Assert.True(await call.ResponseStream.MoveNext());
        var failure = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());
        Assert.Equal(StatusCode.DeadlineExceeded, failure.StatusCode);
        await fixture.Server.Canceled.Task.WaitAsync(GatewayProcess.Patience);
    }

    [Theory]
    [InlineData("probe", "400m", "deadline-exceeded")]
    [InlineData("impatient", "1H", "response-timeout")] // timeouts.request is shorter
    public async Task Deadline_BeforeTheHead_IsDeadlineExceeded(string service, string timeout, string slug)
    {
        fixture.Server.Canceled = new();
        var before = fixture.Server.Hanging;
        var metadata = GrpcFixture.To(service);
        metadata.Add("x-timeout", timeout);
        do
        {
            using var call = fixture.Plain().Count(new Ask { Text = "hang" }, metadata);
            var failure = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());
            Assert.Equal(StatusCode.DeadlineExceeded, failure.StatusCode);
            Assert.Equal("lintel; error=http_response_timeout", failure.Trailers.GetValue("proxy-status"));
        } while (fixture.Server.Hanging == before); // a busy machine may need longer than the deadline to bring the call to the service
        await fixture.Server.Canceled.Task.WaitAsync(GatewayProcess.Patience);
        await Until.TrueAsync(() => fixture.Gateway.Errors.Contains(slug, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Idle_LongerThanItsTimeout_EndsWithAStatus()
    {
        using var call = fixture.Plain().Count(new Ask { Number = 1, Text = "hang" }, GrpcFixture.To("impatient"), Soon);
        Assert.True(await call.ResponseStream.MoveNext());
        var failure = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());
        Assert.Equal(StatusCode.DeadlineExceeded, failure.StatusCode);
        Assert.Equal("The exchange was idle for too long", failure.Status.Detail);
        await Until.TrueAsync(() => fixture.Gateway.Errors.Contains("idle-timeout", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Abort_OfTheService_EndsWithAStatusInTrailers()
    {
        using var call = fixture.Plain().Count(new Ask { Number = 2, Text = "abort" }, deadline: Soon);
        var failure = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await call.ResponseStream.MoveNext())
            {
                // A reset overtakes messages that were not read yet.
            }
        });
        Assert.Equal(StatusCode.Unavailable, failure.StatusCode);
        Assert.Equal("The service's response is incomplete", failure.Status.Detail);
        await Until.TrueAsync(() => fixture.Gateway.Errors.Contains("response-incomplete", StringComparison.Ordinal));
        await Until.TrueAsync(() => fixture.Gateway.AccessLog.Any(l => l.Contains("response-incomplete", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Service_ThatIsDown_IsUnavailable()
    {
        var failure = await Assert.ThrowsAsync<RpcException>(() =>
            fixture.Plain().SayAsync(new Ask(), GrpcFixture.To("down"), Soon).ResponseAsync
        );
        Assert.Equal(StatusCode.Unavailable, failure.StatusCode);
        Assert.Equal("The service refused the connection", failure.Status.Detail);
        Assert.Equal("lintel; error=connection_refused", failure.Trailers.GetValue("proxy-status"));
    }

    [Fact]
    public async Task Route_ThatIsNone_IsUnimplementedAndTrailersOnly()
    {
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false })
        {
            DefaultRequestVersion = new Version(2, 0),
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        using var content = new ByteArrayContent([0, 0, 0, 0, 0]);
        content.Headers.TryAddWithoutValidation("Content-Type", "application/grpc+proto");
        using var response = await client.PostAsync(new Uri(fixture.Gateway.AddressOf("h2"), "/no.such/Thing"), content);
        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal("application/grpc+proto", response.Content.Headers.ContentType!.ToString());
        Assert.Equal("12", response.Headers.GetValues("grpc-status").Single());
        Assert.Equal("No route matches this request", response.Headers.GetValues("grpc-message").Single());
        Assert.Empty(await response.Content.ReadAsByteArrayAsync());
        Assert.Empty(response.TrailingHeaders);
    }
}
