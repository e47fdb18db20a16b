using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Lintel.Carriers;

/// <summary>The response to a client's request: the counterpart of <see cref="ClientRequest"/>, under the same rules.</summary>
internal sealed class ClientResponse(ClientRequest request, HttpContext context)
{
    private readonly HttpResponse _response = context.Response;
    private KeyValuePair<string, StringValues>[] _kept = [];

    public ClientRequest Request { get; } = request;

    // The head.

    public int StatusCode
    {
        get => _response.StatusCode;
        set => _response.StatusCode = value;
    }

    /// <summary>The reason phrase after the status, if the protocol has one.</summary>
    public string? ReasonPhrase
    {
        get => context.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase;
        set => context.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = value;
    }

    public IHeaderDictionary Headers => _response.Headers;

    public string? ContentType
    {
        get => _response.ContentType;
        set => _response.ContentType = value;
    }

    public long? ContentLength
    {
        get => _response.ContentLength;
        set => _response.ContentLength = value;
    }

    /// <summary>Whether the head has been sent, or can no longer be changed.</summary>
    public bool HasStarted => _response.HasStarted;

    /// <summary>
    /// Preserves the headers that an application around the gateway has set so far: security headers, CORS, a correlation id.
    /// <see cref="Restart"/> keeps them.
    /// </summary>
    public void KeepHeaders() => _kept = _response.Headers.Count == 0 ? [] : [.. _response.Headers];

    /// <summary>Clears everything that the gateway has set on a response that has not started.</summary>
    public void Restart()
    {
        _response.Clear();
        foreach (var (name, values) in _kept)
            _response.Headers[name] = values;
    }

    // The body.

    public PipeWriter BodyWriter => _response.BodyWriter;

    /// <summary>The body; can be replaced.</summary>
    public Stream Body
    {
        get => _response.Body;
        set => _response.Body = value;
    }

    /// <summary>The trailers, if the protocol supports them: HTTP/2 and HTTP/3; otherwise <see langword="null"/>.</summary>
    public IHeaderDictionary? Trailers =>
        context.Features.Get<IHttpResponseTrailersFeature>()?.Trailers is { IsReadOnly: false } trailers ? trailers : null;

    /// <summary>Ends a chunked HTTP/1.1 response with trailers; <see langword="null"/> if the server does not support it.</summary>
    public ITrailerOutputFeature? TrailerOutput => context.Features.Get<ITrailerOutputFeature>();

    /// <summary>Sends interim responses; <see langword="null"/> if the server does not support it.</summary>
    public IInformationalResponseFeature? Interim => context.Features.Get<IInformationalResponseFeature>();

    /// <summary>Finalizes the head, which is sent with the first bytes of the body.</summary>
    public Task StartAsync(CancellationToken cancellation = default) => _response.StartAsync(cancellation);

    /// <summary>Completes the response before the request's handler returns.</summary>
    public Task CompleteAsync() => _response.CompleteAsync();

    /// <summary>Sends 101 (Switching Protocols) with the headers that are set.</summary>
    /// <returns>The connection.</returns>
    public Task<Stream> UpgradeAsync() => context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
}
