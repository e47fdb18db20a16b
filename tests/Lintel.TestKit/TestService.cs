using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lintel.TestKit;

/// <summary>A service on Kestrel whose handler the test writes. By default it reads the body and answers <c>ok</c>.</summary>
public sealed class TestService : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly ConcurrentDictionary<string, bool> _connections = new();

    private TestService(WebApplication application, RequestDelegate? handler)
    {
        _application = application;
        Handler = handler ?? OkAsync;
    }

    public RequestDelegate Handler { get; set; }

    /// <summary>The received requests, in order; the body only if the default handler read it.</summary>
    public ConcurrentQueue<SeenRequest> Seen { get; } = new();

    /// <summary>The number of connections that carried requests.</summary>
    public int Connections => _connections.Count;

    public string Address => _application.Urls.First();

    public int Port => new Uri(Address).Port;

    public static async Task<TestService> StartAsync(
        RequestDelegate? handler = null,
        Action<ListenOptions>? listen = null,
        string? socket = null,
        System.Net.IPEndPoint? address = null
    )
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder
            .WebHost.UseKestrelCore()
            .UseKestrelHttpsConfiguration()
            .ConfigureKestrel(o =>
            {
                o.AddServerHeader = false;
                o.RequestHeaderEncodingSelector = _ => System.Text.Encoding.Latin1;
                o.ResponseHeaderEncodingSelector = _ => System.Text.Encoding.Latin1;
                o.Limits.MaxRequestHeadersTotalSize = 256 * 1024;
                o.Limits.MaxRequestBodySize = null;
                o.Limits.MinRequestBodyDataRate = null; // the gateway's own is what tests look at
                if (socket is not null)
                    o.ListenUnixSocket(socket, l => listen?.Invoke(l));
                else
                    o.Listen(address ?? new(System.Net.IPAddress.Loopback, 0), l => listen?.Invoke(l));
            });
        var application = builder.Build();
        var service = new TestService(application, handler);
        application.UseWebSockets();
        application.Use(_ => service.RunAsync);
        await application.StartAsync();
        return service;
    }

    /// <summary>Resets it to its initial state, for tests that share it.</summary>
    public void Reset()
    {
        Handler = OkAsync;
        Seen.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _application.StopAsync(now.Token);
        await _application.DisposeAsync();
    }

    private static async Task OkAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body, System.Text.Encoding.Latin1);
        var seen = (SeenRequest)context.Items["seen"]!;
        seen.Body = await reader.ReadToEndAsync(context.RequestAborted);
        await context.Response.WriteAsync("ok");
    }

    private async Task RunAsync(HttpContext context)
    {
        var seen = new SeenRequest(
            context.Request.Method,
            context.Features.Get<IHttpRequestFeature>()!.RawTarget,
            context.Request.Host.Value ?? "",
            context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.Select(v => v ?? "").ToArray(), StringComparer.OrdinalIgnoreCase),
            context.Request.Protocol
        );
        context.Items["seen"] = seen;
        _connections[context.Connection.Id] = true;
        Seen.Enqueue(seen);
        await Handler(context);
    }
}

/// <summary>A request as a service saw it.</summary>
public sealed record SeenRequest(string Method, string Target, string Host, IReadOnlyDictionary<string, string[]> Headers, string Protocol)
{
    public string? Body { get; set; }

    /// <summary>All values of a header; <see langword="null"/> where it is absent.</summary>
    public string? this[string header] => Headers.TryGetValue(header, out var values) ? string.Join("|", values) : null;
}
