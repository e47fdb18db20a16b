using System.Text;

namespace Lintel.Transport.Tests.Http1.Fuzz;

/// <summary>The second opinion: .NET's own client over the same bytes.</summary>
/// <remarks>One at a time: each request has a connection of its own, and the handler keeps none.</remarks>
internal sealed class SocketsReader : IDisposable
{
    private static readonly HttpRequestOptionsKey<SegmentedStream> Connection = new("connection");
    private static readonly Uri Address = new("http://t/");

    private readonly HttpMessageInvoker _client = new(
        new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            PooledConnectionLifetime = TimeSpan.Zero,
            MaxResponseHeadersLength = 64, // KiB, as ours
            ActivityHeadersPropagator = null,
            ResponseHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
            ConnectCallback = static (context, _) =>
                context.InitialRequestMessage.Options.TryGetValue(Connection, out var stream)
                    ? new ValueTask<Stream>(stream)
                    : throw new InvalidOperationException(),
        }
    );

    public void Dispose() => _client.Dispose();

    public async Task<Reading> ReadAsync(Answer answer)
    {
        await using var stream = new SegmentedStream();
        stream.Load(answer.Bytes, []);
        using var request = new HttpRequestMessage(answer.IsHead ? HttpMethod.Head : HttpMethod.Get, Address);
        request.Options.Set(Connection, stream);
        try
        {
            using var response = await _client.SendAsync(request, CancellationToken.None).ConfigureAwait(false);
            // Before anything asks for a parsed field: that would change what they look like.
            var fields = List(response.Headers.NonValidated).Concat(List(response.Content.Headers.NonValidated)).ToList();
            using var body = new MemoryStream();
            await response.Content.CopyToAsync(body, CancellationToken.None).ConfigureAwait(false);
            return new Reading
            {
                Status = (int)response.StatusCode,
                Fields = fields,
                Body = body.ToArray(),
                Trailers = [.. List(response.TrailingHeaders.NonValidated)],
            };
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new Reading { Refusal = (e.InnerException ?? e).Message };
        }
    }

    private static IEnumerable<(string Name, string Value)> List(System.Net.Http.Headers.HttpHeadersNonValidated headers) =>
        from field in headers
        from value in field.Value
        select (field.Key, value);
}
