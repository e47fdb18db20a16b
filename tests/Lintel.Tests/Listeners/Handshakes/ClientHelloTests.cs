using System.Buffers;
using System.Net.Security;
using Lintel.Listeners.Handshakes;

namespace Lintel.Tests.Listeners.Handshakes;

public sealed class ClientHelloTests
{
    private static readonly ushort[] Usual = [0x1d, 0x17, 0x18];

    [Theory]
    [InlineData(new[] { 0x1d, 0x17, 0x18 }, new[] { 0x1d }, true)]
    [InlineData(new[] { 0x7a7a, 0x11ec, 0x1d, 0x17, 0x18 }, new[] { 0x7a7a, 0x11ec, 0x1d }, true)] // Chrome
    [InlineData(new[] { 0x11ec, 0x1d, 0x17, 0x18, 0x19, 0x100, 0x101 }, new[] { 0x11ec, 0x1d, 0x17 }, true)] // Firefox
    [InlineData(new[] { 0x1d, 0x17, 0x1e, 0x19, 0x18, 0x100, 0x101, 0x102, 0x103, 0x104 }, new[] { 0x1d }, true)] // OpenSSL 3
    [InlineData(new[] { 0x19, 0x18, 0x17 }, new int[0], true)] // TLS 1.2
    [InlineData(null, new int[0], true)] // of before groups were offered
    [InlineData(new[] { 0x104 }, new[] { 0x104 }, false)]
    [InlineData(new[] { 0x104 }, new int[0], false)]
    [InlineData(new[] { 0x104, 0x1d }, new[] { 0x104 }, false)]
    [InlineData(new[] { 0x104, 0x1d }, new[] { 0x11ec, 0x104, 0x1d }, false)] // OpenSSL takes the first that it knows
    [InlineData(new[] { 0x1d, 0x104 }, new[] { 0x1d, 0x104 }, true)]
    [InlineData(null, new[] { 0x104 }, false)]
    [InlineData(new[] { 0x7a7a }, new[] { 0x7a7a }, false)]
    public void Groups_ThatOpenSslWouldChooseFrom_AreAllowedOrNot(int[]? groups, int[] shares, bool isAllowed) =>
        Assert.Equal(
            isAllowed,
            new ClientHello(groups?.Select(g => (ushort)g).ToArray(), [.. shares.Select(g => (ushort)g)], OffersTls13: true).Allows(Usual)
        );

    /// <summary>The ClientHello of .NET's own client, in one piece, byte by byte, and split into records of one byte.</summary>
    [Fact]
    public async Task Hello_OfARealClient_IsReadHoweverItComes()
    {
        var bytes = await RealHelloAsync();
        Assert.True(ClientHello.TryRead(new ReadOnlySequence<byte>(bytes), out var hello));
        Assert.Contains((ushort)0x1d, hello!.Groups!);
        Assert.True(hello.Allows(Usual));
        for (var i = 0; i < bytes.Length; i++)
            Assert.False(ClientHello.TryRead(new ReadOnlySequence<byte>(bytes, 0, i), out _));
        byte[] cut = [.. bytes[5..].SelectMany(b => (byte[])[22, 3, 1, 0, 1, b])];
        if (cut.Length <= ClientHello.MaxLength)
        {
            Assert.True(ClientHello.TryRead(new ReadOnlySequence<byte>(cut), out var again));
            Assert.Equal(hello.Groups, again!.Groups);
        }
    }

    /// <summary>With any change it is parsed, awaited or refused, and no other exception is thrown.</summary>
    [Fact]
    public async Task Hello_WithAnyByteChanged_IsReadOrRefused()
    {
        var bytes = await RealHelloAsync();
        var random = new Random(5);
        for (var round = 0; round < 20_000; round++)
        {
            var changed = bytes.ToArray();
            for (var i = random.Next(1, 4); i > 0; i--)
                changed[random.Next(changed.Length)] = (byte)random.Next(256);
            try
            {
                if (ClientHello.TryRead(new ReadOnlySequence<byte>(changed), out var hello))
                    hello?.Allows(Usual);
            }
            catch (FormatException)
            {
                // Refused.
            }
        }
    }

    [Fact]
    public void Hello_WithoutEnd_IsRefused()
    {
        Assert.Throws<FormatException>(() => ClientHello.TryRead(new ReadOnlySequence<byte>([22, 3, 1, 0x3f, 0xff, 1, 0, 0x50, 0]), out _));
        byte[] cut = [.. Enumerable.Repeat((byte[])[22, 3, 1, 0, 1, 1], 4000).SelectMany(r => r)];
        Assert.Throws<FormatException>(() => ClientHello.TryRead(new ReadOnlySequence<byte>(cut), out _));
        Assert.Throws<FormatException>(() => ClientHello.TryRead(new ReadOnlySequence<byte>([22, 3, 1, 0, 0]), out _));
        Assert.True(ClientHello.TryRead(new ReadOnlySequence<byte>("GET / HTTP/1.1"u8.ToArray()), out var none));
        Assert.Null(none);
    }

    private static async Task<byte[]> RealHelloAsync()
    {
        using var wire = new Recorder();
        await using var client = new SslStream(wire);
        await Assert.ThrowsAnyAsync<Exception>(() => client.AuthenticateAsClientAsync("api.example.com"));
        return wire.ToArray();
    }

    private sealed class Recorder : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(0);
    }
}
