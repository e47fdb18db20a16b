using System.Net.Sockets;
using System.Text.Json;
using Lintel.TestKit;

namespace Lintel.Soak;

/// <summary>
/// Clients that half-close, drip, never read, and ask for more than the memory holds. What they are answered is noted as they see it: the
/// three counts must agree whatever it is.
/// </summary>
internal sealed class HardClients(Uri plain, HttpClient http, Ledger ledger, Func<Func<Task>, Task> loop)
{
    /// <summary>The configuration that these clients need.</summary>
    /// <param name="restless">The address of a <see cref="RestlessService"/>.</param>
    /// <param name="megabyte">The address of a service whose <c>/s/megabyte</c> is a MiB of JSON.</param>
    public static (string Services, string Routes) Configuration(string restless, string megabyte) =>
        (
            $$"""
              restless: { instances: ["{{restless}}"], timeouts: { request: 2s } }
              large: "{{megabyte}}"
            """,
            $$"""
              restless: { match: "/restless/{**rest}", forward: "restless/{rest}" }
              composed: { match: /composed, compose: { calls: { a: restless/a, b: restless/b } } }
              extensions: { match: /extensions, compose: { deadline: 2s, calls: { a: restless/extensions } } }
              drip: { match: POST /drip, compose: { deadline: 1s, calls: { a: { request: "POST restless/a", body: request } } } }
              big: { match: /big, compose: { calls: { a: large/s/megabyte, b: large/s/megabyte?b, c: large/s/megabyte?c } } }
              unread: { match: {{Ledger.Uncertain}}big, compose: { calls: { a: large/s/megabyte, b: large/s/megabyte?b, c: large/s/megabyte?c } } }
            """
        );

    public Task RunAsync() =>
        Task.WhenAll(
            Several(4, () => NoteAsync("/restless/get", HttpMethod.Get)),
            Several(4, () => NoteAsync("/restless/post", HttpMethod.Post)),
            Several(2, () => NoteAsync("/composed", HttpMethod.Get)),
            Several(1, () => NoteAsync("/restless/interim", HttpMethod.Get)),
            Several(1, () => NoteAsync("/extensions", HttpMethod.Get)),
            Several(2, () => HalfCloseAsync("/s/ok")),
            Several(2, () => HalfCloseAsync("/composed")),
            Several(4, DripAsync),
            Several(12, () => NoteAsync("/big", HttpMethod.Get)),
            Several(24, NeverReadAsync)
        );

    private Task Several(int count, Func<Task> once) => Task.WhenAll(Enumerable.Range(0, count).Select(_ => loop(once)));

    private async Task NoteAsync(string path, HttpMethod method)
    {
        using var request = new HttpRequestMessage(method, path)
        {
            Content = method == HttpMethod.Post ? new StringContent("a small order") : null,
        };
        using var response = await http.SendAsync(request, CancellationToken.None);
        Note(
            (int)response.StatusCode,
            response.Content.Headers.ContentType?.MediaType,
            await response.Content.ReadAsStringAsync(CancellationToken.None)
        );
    }

    private void Note(int status, string? mediaType, string body) =>
        ledger.Add(
            status,
            mediaType == "application/problem+json"
                ? JsonDocument.Parse(body).RootElement.GetProperty("type").GetString()!.Split(':')[^1]
                : null
        );

    /// <summary>Sends a complete request, then closes its sending side: the complete answer must still arrive.</summary>
    private async Task HalfCloseAsync(string path)
    {
        using var raw = await RawClient.ConnectAsync(plain);
        await raw.SendAsync($"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n");
        raw.Socket.Shutdown(SocketShutdown.Send);
        var response = await raw.ReadResponseAsync();
        Note(response.Status, response["Content-Type"], response.Body);
    }

    /// <summary>A byte of a body now and then: the composition's deadline ends it.</summary>
    private async Task DripAsync()
    {
        using var raw = await RawClient.ConnectAsync(plain);
        await raw.SendAsync("POST /drip HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n");
        var answer = raw.ReadResponseAsync();
        try
        {
            while (!answer.IsCompleted)
            {
                await raw.SendAsync("xxxxxxxx");
                await Task.WhenAny(answer, Task.Delay(20, CancellationToken.None));
            }
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            // Refused, and closed: the answer is there.
        }

        var response = await answer;
        Note(response.Status, response["Content-Type"], response.Body);
    }

    /// <summary>Asks for megabytes, reads none, and resets after a while.</summary>
    private async Task NeverReadAsync()
    {
        using var raw = await RawClient.ConnectAsync(plain, receiveBuffer: 4096);
        raw.Socket.LingerState = new(true, 0);
        await raw.SendAsync($"GET {Ledger.Uncertain}big HTTP/1.1\r\nHost: t\r\n\r\n");
        await Task.Delay(Random.Shared.Next(3000), CancellationToken.None);
    }
}
