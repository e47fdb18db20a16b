using System.Globalization;
using System.Net;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>Bodies that are larger than what the gateway may take of memory, which is that of its process.</summary>
[EveryTransport]
public sealed class LargeBodyTests(LargeBodyTests.OfAProcess fixture) : IClassFixture<LargeBodyTests.OfAProcess>
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Theory]
    [MemberData(nameof(MatrixTests.Ways), MemberType = typeof(MatrixTests))]
    public async Task LargeBodies_BothWays_TakeNoMemory(string client, string service)
    {
        const long Bytes = 120L << 20; // a quarter more than the gateway may take
        var before = fixture.Process.PeakMemoryKiB();
        using var content = new SizedContent(Bytes);
        using var upload = await SendAsync(client, HttpMethod.Post, $"/{service}/sink", content);
        Assert.Equal(Bytes.ToString(CultureInfo.InvariantCulture), await upload.Content.ReadAsStringAsync(None));

        using var download = await SendAsync(client, HttpMethod.Get, $"/{service}/source?bytes={Bytes}", null);
        await using var body = await download.Content.ReadAsStreamAsync(None);
        var buffer = new byte[256 * 1024];
        var total = 0L;
        for (int count; (count = await body.ReadAsync(buffer, None)) > 0; )
            total += count;
        Assert.Equal(Bytes, total);
        Assert.InRange(fixture.Process.PeakMemoryKiB() - before, -8 * 1024, 96 * 1024);
    }

    private Task<HttpResponseMessage> SendAsync(string version, HttpMethod method, string path, HttpContent? content) =>
        fixture
            .Client(version)
            .SendAsync(
                new HttpRequestMessage(method, path)
                {
                    Version = version == "h2" ? HttpVersion.Version20 : HttpVersion.Version11,
                    VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                    Content = content,
                },
                HttpCompletionOption.ResponseHeadersRead,
                None
            );

    /// <summary>With a gateway in a process of its own.</summary>
    public sealed class OfAProcess : MatrixFixture
    {
        internal GatewayProcess Process => (GatewayProcess)Gateway;

        private protected override async Task<RunningProgram> StartAsync(string yaml) => await GatewayProcess.StartAsync(yaml);
    }

    private sealed class SizedContent(long bytes) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            var block = new byte[128 * 1024];
            for (var left = bytes; left > 0; left -= block.Length)
                await stream.WriteAsync(block);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = bytes;
            return true;
        }
    }
}
