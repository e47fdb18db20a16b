using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text.Json;
using Lintel.TestKit;

namespace Lintel.Soak;

/// <summary>Every kind of client, each a loop that notes how its requests end.</summary>
internal sealed class Clients(Uri plain, Uri h2c, Uri secure, Ledger ledger, CancellationToken stop) : IDisposable
{
    private readonly HttpClient _http = Create(plain, new Version(1, 1));
    private readonly HttpClient _h2c = Create(h2c, new Version(2, 0));
    private long _cutHeads;
    private readonly HttpClient _secure = Create(secure, new Version(2, 0));

    /// <summary>What clients saw that they must not see.</summary>
    public System.Collections.Concurrent.ConcurrentBag<string> Surprises { get; } = [];

    /// <summary>Heads that were cut off by a reset.</summary>
    public long CutHeads => Interlocked.Read(ref _cutHeads);

    public Task RunAsync() =>
        Task.WhenAll(
            Loop(() => GetAsync(_http, "/s/ok")),
            Loop(() => EchoAsync(_http)),
            Loop(() => GetAsync(_h2c, "/s/ok")),
            Loop(() => EchoAsync(_h2c)),
            Loop(() => EchoAsync(_secure)),
            Loop(() => GetAsync(_http, "/nowhere")),
            Loop(() => GetAsync(_http, "/s/500")),
            Loop(() => GetAsync(_http, "/s/reset")),
            Loop(() => GetAsync(_h2c, "/s/slow")),
            Loop(() => GetAsync(_http, "/refused")),
            Loop(() => CutAsync(_http)),
            Loop(() => AbortAsync(_http)),
            Loop(() => AbortAsync(_h2c)),
            Loop(WebSocketAsync),
            Loop(HostileAsync),
            Loop(DisconnectAsync),
            Loop(AbortAnywhereAsync),
            Loop(AbortAnywhereAsync),
            HammerAsync()
        );

    public void Dispose()
    {
        foreach (var http in (HttpClient[])[_http, _h2c, _secure])
            http.Dispose();
    }

    /// <summary>As much load as the machine can take, beside all the others.</summary>
    private Task HammerAsync() =>
        Task.WhenAll(
            Enumerable.Range(0, 8).Select(i => Loop(() => i % 4 == 3 ? EchoAsync(_http, 2048) : GetAsync(_http, "/s/ok"), pauses: false))
        );

    public static HttpClient Create(Uri address, Version version) =>
        new(
            new SocketsHttpHandler
            {
                UseProxy = false,
#pragma warning disable CA5359 // the certificate is the soak's own
                SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
#pragma warning restore CA5359
                PooledConnectionLifetime = TimeSpan.FromSeconds(5), // connections come and go
            }
        )
        {
            BaseAddress = address,
            DefaultRequestVersion = version,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };

    /// <summary>Does something again and again until the end; what it throws is a surprise.</summary>
    public async Task Loop(Func<Task> once, bool pauses = true)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await once();
            }
            catch (Exception e)
            {
                Surprises.Add($"{once.Method.Name}: {e.GetType().Name} {e.Message} {e.InnerException?.Message}");
            }

            if (pauses)
                await Task.Delay(Random.Shared.Next(1, 10), CancellationToken.None);
        }
    }

    private async Task GetAsync(HttpClient http, string path)
    {
        using var response = await http.GetAsync(path, CancellationToken.None);
        await NoteAsync(response);
    }

    private async Task NoteAsync(HttpResponseMessage response)
    {
        var body = await response.Content.ReadAsStringAsync(CancellationToken.None);
        string? error = null;
        if (response.Content.Headers.ContentType?.MediaType == "application/problem+json")
            error = JsonDocument.Parse(body).RootElement.GetProperty("type").GetString()!.Split(':')[^1];
        ledger.Add((int)response.StatusCode, error);
    }

    private async Task EchoAsync(HttpClient http, int longest = 256 * 1024)
    {
        var body = RandomNumberGenerator.GetBytes(Random.Shared.Next(longest));
        using var response = await http.PostAsync("/s/echo", new ByteArrayContent(body), CancellationToken.None);
        if (!response.IsSuccessStatusCode)
        {
            await NoteAsync(response); // a machine that was too busy for the service's second
            return;
        }

        var answer = await response.Content.ReadAsByteArrayAsync(CancellationToken.None);
        ledger.Add((int)response.StatusCode, null);
        if (!answer.AsSpan().SequenceEqual(body))
            Surprises.Add($"an echo of {body.Length} bytes came back as {answer.Length} others");
    }

    /// <summary>A truncated body of a service must never look complete.</summary>
    private async Task CutAsync(HttpClient http)
    {
        using var response = await http.GetAsync("/s/cut", HttpCompletionOption.ResponseHeadersRead, CancellationToken.None);
        if (!response.IsSuccessStatusCode)
        {
            await NoteAsync(response); // the reset may overtake the head: then there is an answer, and it says so
            return;
        }

        try
        {
            await response.Content.ReadAsByteArrayAsync(CancellationToken.None);
            Surprises.Add("a cut answer looked whole");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            ledger.Add(200, "response-incomplete");
        }
    }

    /// <summary>Leaves in the middle of an answer that never ends.</summary>
    private async Task AbortAsync(HttpClient http)
    {
        using var response = await http.GetAsync("/s/events", HttpCompletionOption.ResponseHeadersRead, CancellationToken.None);
        if (!response.IsSuccessStatusCode)
        {
            await NoteAsync(response); // refused: there is nothing to leave
            return;
        }

        using (var events = await response.Content.ReadAsStreamAsync(CancellationToken.None))
        {
            var buffer = new byte[64];
            for (var i = 0; i < 3; i++)
                await events.ReadExactlyAsync(buffer.AsMemory(0, 16), CancellationToken.None);
        }

        ledger.Add(499, "client-aborted");
    }

    private async Task WebSocketAsync()
    {
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new UriBuilder(plain) { Scheme = "ws", Path = "/s/ws" }.Uri, CancellationToken.None);
        var message = RandomNumberGenerator.GetBytes(Random.Shared.Next(1, 20_000));
        var buffer = new byte[32 * 1024];
        for (var i = 0; i < 5; i++)
        {
            await socket.SendAsync(message, WebSocketMessageType.Binary, true, CancellationToken.None);
            var got = 0;
            for (var end = false; !end; )
            {
                var part = await socket.ReceiveAsync(buffer.AsMemory(got), CancellationToken.None);
                got += part.Count;
                end = part.EndOfMessage;
            }

            if (!buffer.AsSpan(0, got).SequenceEqual(message))
                Surprises.Add("a WebSocket echo differs");
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        ledger.Add(101, null);
    }

    private async Task HostileAsync()
    {
        using var raw = await RawClient.ConnectAsync(plain);
        await raw.SendAsync("POST /s/ok HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        var response = await raw.ReadResponseAsync();
        ledger.Add(response.Status, "bad-framing");
    }

    /// <summary>
    /// Resets the connection at any moment: in the middle of the head, of the body, before, within or after the answer. How the gateway
    /// records it is not deterministic.
    /// </summary>
    private async Task AbortAnywhereAsync()
    {
        using var raw = await RawClient.ConnectAsync(plain);
        raw.Socket.LingerState = new(true, 0);
        var head = $"POST {Ledger.Uncertain}echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2000\r\n\r\n";
        var request = head + new string('x', 2000);
        var length = Random.Shared.Next(1, request.Length + 1);
        if (length < head.Length)
            Interlocked.Increment(ref _cutHeads);
        try
        {
            await raw.SendAsync(request[..length]);
        }
        catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
        {
            return; // a part that was no request, and was refused before all of it was sent
        }

        await Task.Delay(Random.Shared.Next(3), CancellationToken.None);
    }

    /// <summary>Connects and disconnects, with or without a part of a request: no request and no failure is counted.</summary>
    private async Task DisconnectAsync()
    {
        using var raw = await RawClient.ConnectAsync(plain);
        raw.Socket.LingerState = new(true, 0);
    }
}
