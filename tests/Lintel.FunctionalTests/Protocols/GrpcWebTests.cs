using System.Buffers.Binary;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client.Web;
using Lintel.TestKit;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>gRPC-Web from Grpc.Net.Client.Web, and byte by byte, to a plain gRPC service.</summary>
[EveryTransport]
public sealed class GrpcWebTests(GrpcFixture fixture) : IClassFixture<GrpcFixture>
{
    public static TheoryData<GrpcWebMode, bool> Ways =>
        new()
        {
            { GrpcWebMode.GrpcWeb, false },
            { GrpcWebMode.GrpcWeb, true },
            { GrpcWebMode.GrpcWebText, false },
            { GrpcWebMode.GrpcWebText, true },
        };

    private static DateTime Soon => TimeProvider.System.GetUtcNow().UtcDateTime.Add(GatewayProcess.Patience);

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Unary_PassesMessageMetadataAndTrailers(GrpcWebMode mode, bool http2)
    {
        byte[] bytes = [0, 1, 255];
        using var call = fixture
            .Web(mode, http2)
            .SayAsync(
                new Ask
                {
                    Text = "hello",
                    Data = ByteString.CopyFrom(new byte[100_001]),
                    Number = 3_000_001,
                },
                new Metadata { { "text", "words" }, { "data-bin", bytes } },
                Soon
            );
        var head = await call.ResponseHeadersAsync;
        var answer = await call;
        Assert.Equal("hello", answer.Text);
        Assert.Equal(100_001, answer.Number);
        Assert.Equal(3_000_001, answer.Data.Length);
        Assert.Equal("words", head.GetValue("seen-text"));
        Assert.Equal("application/grpc", head.GetValue("seen-type"));
        Assert.Equal("here", call.GetTrailers().GetValue("end"));
        Assert.Equal(bytes, call.GetTrailers().GetValueBytes("echo-bin"));
    }

    /// <summary>
    /// A client disconnect is noticed immediately if it resets the stream or the connection, and by the next send if it closes an
    /// HTTP/1.1 connection.
    /// </summary>
    [Theory]
    [InlineData(GrpcWebMode.GrpcWeb, false, "hang")]
    [InlineData(GrpcWebMode.GrpcWeb, true, "hang")]
    [InlineData(GrpcWebMode.GrpcWebText, false, "hang")]
    [InlineData(GrpcWebMode.GrpcWebText, true, "hang")]
    [InlineData(GrpcWebMode.GrpcWeb, false, "tick")]
    [InlineData(GrpcWebMode.GrpcWebText, false, "tick")]
    public async Task ServerStreaming_ComesMessageByMessage(GrpcWebMode mode, bool http2, string then)
    {
        fixture.Server.Canceled = new();
        using (var call = fixture.Web(mode, http2, leaves: then == "hang").Count(new Ask { Number = 3, Text = then }, deadline: Soon))
        {
            for (var i = 0; i < 3; i++)
            {
                Assert.True(await call.ResponseStream.MoveNext()); // the service does not end: nothing may wait for the rest
                Assert.Equal(i, call.ResponseStream.Current.Number);
            }
        }

        await fixture.Server.Canceled.Task.WaitAsync(GatewayProcess.Patience);
    }

    [Theory]
    [InlineData(GrpcWebMode.GrpcWeb, "refuse", 0, StatusCode.FailedPrecondition, "not now: 100 % \u00fcber")]
    [InlineData(GrpcWebMode.GrpcWebText, "refuse", 0, StatusCode.FailedPrecondition, "not now: 100 % \u00fcber")]
    [InlineData(GrpcWebMode.GrpcWeb, "fail", 2, StatusCode.DataLoss, "lost at 2")]
    [InlineData(GrpcWebMode.GrpcWebText, "fail", 2, StatusCode.DataLoss, "lost at 2")]
    public async Task Status_OfTheService_Passes(GrpcWebMode mode, string what, int messages, StatusCode status, string detail)
    {
        using var call = fixture.Web(mode, http2: false).Count(new Ask { Number = messages, Text = what }, deadline: Soon);
        for (var i = 0; i < messages; i++)
            Assert.True(await call.ResponseStream.MoveNext());
        var failure = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext());
        Assert.Equal(status, failure.StatusCode);
        Assert.Equal(detail, failure.Status.Detail);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Failures_OfTheService_AreStatuses(GrpcWebMode mode, bool http2)
    {
        var client = fixture.Web(mode, http2);
        var down = await Assert.ThrowsAsync<RpcException>(() => client.SayAsync(new Ask(), GrpcFixture.To("down"), Soon).ResponseAsync);
        Assert.Equal(StatusCode.Unavailable, down.StatusCode);
        Assert.Equal("The service refused the connection", down.Status.Detail);

        using var idle = client.Count(new Ask { Number = 1, Text = "hang" }, GrpcFixture.To("impatient"), Soon);
        Assert.True(await idle.ResponseStream.MoveNext());
        var still = await Assert.ThrowsAsync<RpcException>(() => idle.ResponseStream.MoveNext());
        Assert.Equal(StatusCode.DeadlineExceeded, still.StatusCode);
        Assert.Equal("The exchange was idle for too long", still.Status.Detail);
    }

    [Fact]
    public async Task Text_InPaddedPiecesOverSeveralPackets_IsDecoded()
    {
        // The message {text: "abcdefg"}: a frame of 5 + 9 bytes, cut into pieces that are padded each on its own.
        var message = new Ask { Text = "abcdefg" }.ToByteArray();
        var frame = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        var text =
            Convert.ToBase64String(frame, 0, 1)
            + Convert.ToBase64String(frame, 1, 4)
            + Convert.ToBase64String(frame, 5, 2)
            + Convert.ToBase64String(frame, 7, frame.Length - 7);
        using var client = await RawClient.ConnectAsync(fixture.Gateway.Address);
        await client.SendAsync(
            "POST /lintel.probe.Probe/Say HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web-text+proto\r\nTransfer-Encoding: "
                + "chunked\r\n\r\n"
        );
        foreach (var character in text)
            await client.SendAsync($"1\r\n{character}\r\n");
        await client.SendAsync("0\r\n\r\n");
        var response = await client.ReadResponseAsync();
        Assert.Equal(200, response.Status);
        Assert.Equal("application/grpc-web-text", response["Content-Type"]);
        var body = DecodePieces(response.Body);
        Assert.Equal(0, body[0]);
        var length = BinaryPrimitives.ReadInt32BigEndian(body.AsSpan(1));
        Assert.Equal("abcdefg", Answer.Parser.ParseFrom(body, 5, length).Text);
        Assert.Equal(0x80, body[5 + length]);
        var trailers = Encoding.ASCII.GetString(body, 10 + length, body.Length - 10 - length);
        Assert.Contains("grpc-status: 0\r\n", trailers, StringComparison.Ordinal);
        Assert.Contains("end: here\r\n", trailers, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AAAA!AAA")]
    [InlineData("AAAAA")]
    [InlineData("A===")]
    public async Task Text_ThatIsNotBase64_IsRefused(string body)
    {
        using var client = await RawClient.ConnectAsync(fixture.Gateway.Address);
        await client.SendAsync(
            $"POST /lintel.probe.Probe/Say HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web-text\r\nContent-Length: "
                + $"{body.Length}\r\n\r\n{body}"
        );
        var response = await client.ReadResponseAsync();
        Assert.Equal(200, response.Status);
        Assert.Equal("application/grpc-web-text", response["Content-Type"]);
        Assert.Equal("13", response["grpc-status"]);
        Assert.Equal("The request body could not be read", response["grpc-message"]);
    }

    private static byte[] DecodePieces(string text)
    {
        var bytes = new List<byte>();
        for (var i = 0; i < text.Length; i += 4)
            bytes.AddRange(Convert.FromBase64String(text.Substring(i, 4)));
        return [.. bytes];
    }
}
