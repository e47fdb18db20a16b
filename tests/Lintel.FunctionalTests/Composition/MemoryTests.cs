using Lintel.Control.Status;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

namespace Lintel.FunctionalTests.Composition;

/// <summary>Everything that buffers takes from one limit: requests beyond it are refused, and what was taken is returned.</summary>
[EveryTransport]
public sealed class MemoryTests
{
    private const string Small = "limits: { memory: 1MiB }\n";

    [Fact]
    public async Task Uploads_ThatDrip_AreRefusedBeyondTheLimit_AndGiveTheirMemoryBack()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", "1");
        await using var gateway = await StartAsync(Small, "calls: { x: { request: POST a/x, body: request } }", backend);
        var clients = new List<RawClient>();
        try
        {
            for (var i = 0; i < 8; i++)
            {
                clients.Add(await gateway.Process.ConnectAsync());
                await clients[i].SendAsync($"POST /c/7 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n{new string('1', 300_000)}");
            }

            await Until.TrueAsync(() => Refused(gateway) >= 4);
            Assert.InRange(gateway.Process.Gateway.Status.Memory.UsedBytes, 300_000, 1 << 20);
            Assert.Empty(backend.Seen);
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }

        await Until.TrueAsync(() => gateway.Process.Gateway.Status.Memory.UsedBytes == 0);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/c/7") { Content = new StringContent("2") };
        Assert.Equal(200, (await gateway.SendAsync(request)).Status);
        Assert.Equal(0, gateway.Process.Gateway.Status.Memory.UsedBytes);
    }

    [Fact]
    public async Task Upload_BeyondTheLimit_Is503AndSaysWhenToComeAgain()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", "1");
        await using var gateway = await StartAsync(Small, "calls: { x: { request: POST a/x, body: request } }", backend);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/c/7") { Content = new StringContent(new string('1', 2_000_000)) };
        var answer = await gateway.SendAsync(request);
        Assert.Equal((503, "1"), (answer.Status, answer["Retry-After"]));
        Assert.Contains("urn:problem-type:lintel:overloaded", answer.Body, StringComparison.Ordinal);
        Assert.Empty(backend.Seen);
        Assert.Equal(0, gateway.Process.Gateway.Status.Memory.UsedBytes);
    }

    /// <summary>The deadline of the whole answer starts with the request's head: a slow body does not stop the clock.</summary>
    [Fact]
    public async Task Upload_ThatIsNotThereByTheDeadline_EndsAs408()
    {
        await using var backend = await Backend.StartAsync();
        await using var gateway = await StartAsync("", "deadline: 200ms\ncalls: { x: { request: POST a/x, body: request } }", backend);
        using var client = await gateway.Process.ConnectAsync();
        await client.SendAsync("POST /c/7 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123");
        Assert.Equal(408, (await client.ReadResponseAsync()).Status);
        await Until.TrueAsync(() => gateway.Process.Gateway.Status.Memory.UsedBytes == 0);
        Assert.DoesNotContain(gateway.Process.Log, l => l.Contains("draining", StringComparison.Ordinal));
        Assert.Empty(backend.Seen);
        Assert.Equal(0, gateway.Process.Gateway.Status.Memory.UsedBytes);
    }

    [Theory]
    [InlineData(false, 503)]
    [InlineData(true, 200)]
    public async Task Answer_BeyondTheLimit_FailsItsCall(bool isOptional, int status)
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", "\"" + new string('x', 3_000_000) + "\"").On("y", "1");
        await using var gateway = await StartAsync(
            Small,
            $"calls: {{ x: {{ request: a/x, optional: {(isOptional ? "true" : "false")} }}, y: a/y }}",
            backend
        );
        var answer = await gateway.GetAsync();
        Assert.Equal(status, answer.Status);
        Assert.Contains("err=overloaded", answer.Of("x"), StringComparison.Ordinal);
        Assert.Equal(isOptional ? null : "1", answer["Retry-After"]);
        await Until.TrueAsync(() => gateway.Process.Gateway.Status.Memory.UsedBytes == 0);
    }

    [Fact]
    public async Task Answer_ThatItsClientDoesNotTake_IsCutOffInTime_AndItsMemoryIsGivenBack()
    {
        await using var backend = await Backend.StartAsync();
        backend.On("x", "\"" + new string('x', 15_000_000) + "\"");
        await using var gateway = await StartAsync("", "limits: { send: 1s }\ncalls: { x: a/x }", backend);
        using var client = await RawClient.ConnectAsync(gateway.Process.Address, receiveBuffer: 4096);
        await client.SendAsync("GET /c/7 HTTP/1.1\r\nHost: a\r\n\r\n");
        await Until.TrueAsync(() => gateway.Process.Gateway.Status.Memory.UsedBytes > 15_000_000);
        await Until.TrueAsync(() => gateway.Process.Gateway.Status.Memory.UsedBytes == 0);
        await Until.TrueAsync(() => gateway.Process.Log.Any(l => l.Contains("slow-reader", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task MirroredUploads_ThatStop_HoldNoMoreThanTheLimit_AndArePassedOnWithoutACopy()
    {
        await using var service = await TestService.StartAsync(async c =>
        {
            await c.Request.Body.CopyToAsync(Stream.Null);
            await c.Response.WriteAsync("ok");
        });
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            {{Small}}
            services: { s: "{{service.Address}}" }
            routes: { s: { match: "/{**rest}", forward: { service: s, mirror: s } } }
            """
        );
        var clients = new List<RawClient>();
        try
        {
            for (var i = 0; i < 10; i++)
            {
                clients.Add(await gateway.ConnectAsync());
                await clients[i].SendAsync($"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400001\r\n\r\n{new string('1', 400_000)}");
            }

            await Until.TrueAsync(() => gateway.Gateway.Status.Memory.UsedBytes >= 800_000);
            Assert.InRange(gateway.Gateway.Status.Memory.UsedBytes, 800_000, 1 << 20);
            await clients[9].SendAsync("1");
            Assert.Equal(200, (await clients[9].ReadResponseAsync()).Status);
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }

        await Until.TrueAsync(() => gateway.Gateway.Status.Memory.UsedBytes == 0);
    }

    private static Task<ComposedGateway> StartAsync(string limits, string compose, Backend backend) =>
        ComposedGateway.StartYamlAsync(
            $"{limits}services: {{ a: \"{backend.Address}\" }}\nroutes:\n  c:\n    match: \"/c/{{id}}\"\n    "
                + $"compose:\n{ComposedGateway.Indent(compose, 6)}"
        );

    private static long Refused(ComposedGateway gateway) =>
        gateway.Process.Gateway.Errors.Where(e => e.Error == "overloaded").Sum(e => e.Count);
}
