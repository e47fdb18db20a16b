using System.Collections.Concurrent;
using System.Net;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Tests;

/// <summary>A service of a composition, without sockets.</summary>
internal sealed class MemoryService : ScriptedAnswers
{
    private readonly ConcurrentQueue<SeenRequest> _seen = new();

    public string Host { get; } = $"s{Guid.NewGuid():N}.test";

    public override string Address => "http://" + Host;

    public override IReadOnlyCollection<SeenRequest> Seen => _seen;

    /// <summary>Sends the answer of a handler.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        var context = await ReadAsync(request, cancellation);
        using var body = new MemoryStream();
        context.Response.Body = body;
        _seen.Enqueue(
            new SeenRequest(
                request.Method.Method,
                context.Features.Get<IHttpRequestFeature>()!.RawTarget,
                context.Request.Host.Value ?? "",
                context.Request.Headers.ToDictionary(
                    h => h.Key,
                    h => h.Value.Select(v => v ?? "").ToArray(),
                    StringComparer.OrdinalIgnoreCase
                ),
                context.Request.Protocol
            )
        );
        await AnswerAsync(context);
        await context.Response.CompleteAsync();
        var response = new HttpResponseMessage((HttpStatusCode)context.Response.StatusCode)
        {
            Content = new ByteArrayContent(body.ToArray()),
            RequestMessage = request,
        };
        foreach (var (name, values) in context.Response.Headers)
        {
            if (!response.Headers.TryAddWithoutValidation(name, values.ToArray()))
                response.Content.Headers.TryAddWithoutValidation(name, values.ToArray());
        }

        return response;
    }

    private static async Task<DefaultHttpContext> ReadAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        var context = new DefaultHttpContext { RequestAborted = cancellation };
        var uri = request.RequestUri!;
        var text = uri.OriginalString;
        context.Features.Get<IHttpRequestFeature>()!.RawTarget = text[
            text.IndexOf('/', text.IndexOf("://", StringComparison.Ordinal) + 3)..
        ];
        context.Request.Method = request.Method.Method;
        context.Request.Protocol = "HTTP/1.1";
        context.Request.Path = PathString.FromUriComponent(uri);
        context.Request.QueryString = new QueryString(uri.Query);
        foreach (var (name, values) in request.Headers.NonValidated)
            context.Request.Headers.Append(name, values.ToArray());
        context.Request.Host = new HostString(request.Headers.Host ?? uri.Authority);
        if (request.Content is not { } content)
            return context;
        foreach (var (name, values) in content.Headers.NonValidated)
            context.Request.Headers.Append(name, values.ToArray());
        context.Request.Body = new MemoryStream(await content.ReadAsByteArrayAsync(cancellation));
        return context;
    }
}

/// <summary>Services without sockets, by their hosts; a host that is none of theirs refuses.</summary>
internal sealed class MemoryNet(params MemoryService[] services) : HttpMessageHandler
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        Array.Find(services, s => s.Host == request.RequestUri!.Host)?.SendAsync(request, cancellationToken)
        ?? throw new HttpRequestException(HttpRequestError.ConnectionError, "nobody listens there");
}
