using Lintel.Forwarding.Grpc;
using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Forwarding.Grpc;

public sealed class Base64RequestBodyTests
{
    [Fact]
    public async Task Body_OfRandomPieces_IsDecoded()
    {
        var random = new Random(20261123);
        for (var round = 0; round < 200; round++)
        {
            var bytes = new byte[random.Next(1, 40_000)];
            random.NextBytes(bytes);
            var text = new MemoryStream();
            for (var at = 0; at < bytes.Length; )
            {
                var count = Math.Min(random.Next(1, round % 2 == 0 ? 20 : 9000), bytes.Length - at);
                text.Write(System.Text.Encoding.ASCII.GetBytes(Convert.ToBase64String(bytes, at, count)));
                at += count;
            }

            var request = new DefaultHttpContext().Request;
            request.Body = new Trickle(text.ToArray(), random);
            var body = new Base64RequestBody(request.AsClient());
            var decoded = new MemoryStream();
            var buffer = new byte[random.Next(1, 5000)];
            Assert.Equal(0, await body.ReadAsync(Memory<byte>.Empty));
            for (int count; (count = await body.ReadAsync(buffer)) > 0; )
                decoded.Write(buffer, 0, count);
            Assert.Equal(bytes, decoded.ToArray());
        }
    }

    [Theory]
    [InlineData("AAA")]
    [InlineData("AAAAA===")]
    [InlineData("AA=A")]
    [InlineData("====")]
    [InlineData("AAA\u00e4")]
    [InlineData("AA A")]
    public async Task Body_ThatIsNotBase64_IsRefused(string text)
    {
        var request = new DefaultHttpContext().Request;
        request.Body = new MemoryStream(System.Text.Encoding.Latin1.GetBytes(text));
        var body = new Base64RequestBody(request.AsClient());
        await Assert.ThrowsAsync<BadHttpRequestException>(async () =>
        {
            while (await body.ReadAsync(new byte[100]) > 0)
            {
                // the error may be at the end
            }
        });
    }

    /// <summary>Returns as few bytes as it likes.</summary>
    private sealed class Trickle(byte[] bytes, Random random) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            new(Read(buffer.Span[..Math.Min(buffer.Length, random.Next(1, 3000))]));
    }
}
