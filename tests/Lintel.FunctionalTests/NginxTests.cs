using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>In front of a third-party server.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
[EveryTransport]
public sealed class NginxTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task StaticFiles_RangesConditionsAndAQuarterOfAGigabyte_PassThrough()
    {
        var folder = Directory.CreateTempSubdirectory("lintel-nginx-").FullName;
        File.SetUnixFileMode(folder, (UnixFileMode)0b111_101_101); // started by root, nginx reads as somebody else
        var socket = Path.Combine(folder, "nginx.sock");
        Directory.CreateDirectory(Path.Combine(folder, "www"));
        await File.WriteAllTextAsync(Path.Combine(folder, "www", "hello.txt"), "hello, world", None);
        await using (var large = File.Create(Path.Combine(folder, "www", "large.bin")))
            large.SetLength(1L << 28); // sparse: nothing is written
        await File.WriteAllTextAsync(
            Path.Combine(folder, "nginx.conf"),
            $$"""
            daemon off; pid {{folder}}/nginx.pid; error_log {{folder}}/error.log; worker_processes 1;
            events { worker_connections 256; }
            http {
              access_log off; client_body_temp_path {{folder}}/body; proxy_temp_path {{folder}}/proxy; fastcgi_temp_path {{folder}}/f; uwsgi_temp_path {{folder}}/u; scgi_temp_path {{folder}}/s;
              server { listen unix:{{socket}}; root {{folder}}/www; }
            }
            """,
            None
        );
        using var nginx = Process.Start(
            new ProcessStartInfo(
                "/usr/sbin/nginx",
                ["-c", Path.Combine(folder, "nginx.conf"), "-p", folder, "-e", Path.Combine(folder, "error.log")]
            )
        )!;
        try
        {
            await Until.TrueAsync(() => File.Exists(socket));
            await using var gateway = await GatewayProcess.StartAsync(
                $$"""
                services: { files: "http://unix:{{socket}}" }
                routes: { files: { match: "/files/{**rest}", forward: "files/{rest}" } }
                """
            );
            var client = gateway.Client;
            var address = new Uri("/files/hello.txt", UriKind.Relative);
            var whole = await client.GetAsync(address, None);
            Assert.Equal("hello, world", await whole.Content.ReadAsStringAsync(None));

            using var range = new HttpRequestMessage(HttpMethod.Get, address) { Headers = { Range = new RangeHeaderValue(7, 11) } };
            var part = await client.SendAsync(range, None);
            Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
            Assert.Equal("world", await part.Content.ReadAsStringAsync(None));
            Assert.Equal("bytes 7-11/12", part.Content.Headers.ContentRange!.ToString());

            using var beyond = new HttpRequestMessage(HttpMethod.Get, address) { Headers = { Range = new RangeHeaderValue(100, 200) } };
            Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, (await client.SendAsync(beyond, None)).StatusCode);

            using var conditional = new HttpRequestMessage(HttpMethod.Get, address) { Headers = { IfNoneMatch = { whole.Headers.ETag! } } };
            var unchanged = await client.SendAsync(conditional, None);
            Assert.Equal(HttpStatusCode.NotModified, unchanged.StatusCode);
            Assert.Equal(whole.Headers.ETag, unchanged.Headers.ETag);

            using var head = new HttpRequestMessage(HttpMethod.Head, address);
            Assert.Equal(12, (await client.SendAsync(head, None)).Content.Headers.ContentLength);

            var before = gateway.PeakMemoryKiB();
            Assert.Equal(1L << 28, await DownloadAsync(client));
            Assert.InRange(gateway.PeakMemoryKiB() - before, 0, 64 * 1024);
        }
        finally
        {
            nginx.Kill(entireProcessTree: true);
            await nginx.WaitForExitAsync(None);
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<long> DownloadAsync(HttpClient client)
    {
        using var response = await client.GetAsync(
            new Uri("/files/large.bin", UriKind.Relative),
            HttpCompletionOption.ResponseHeadersRead,
            None
        );
        await using var stream = await response.Content.ReadAsStreamAsync(None);
        var buffer = new byte[256 * 1024];
        var total = 0L;
        for (int count; (count = await stream.ReadAsync(buffer, None)) > 0; )
            total += count;
        return total;
    }
}
