using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;

namespace Lintel.Identities.Providers;

/// <summary>Sends the gateway's own requests to identity providers and decision points: few, small, and never redirected.</summary>
/// <remarks>Thread rule: any number of requests at a time.</remarks>
internal sealed class ProviderClient : IDisposable
{
    /// <summary>The longest answer that is read. A key set of a thousand RSA keys is shorter.</summary>
    public const int MaxAnswer = 1024 * 1024;

    private readonly HttpClient _client;
    private readonly Action<bool>? _asked;

    /// <param name="authorities">A PEM file with the certificate authorities that are trusted; <see langword="null"/> for those of the
    /// system.</param>
    /// <param name="timeout">The time for a whole request.</param>
    /// <param name="asked">Called after each request: whether there was an answer, and not that of a server that failed.</param>
    public ProviderClient(string? authorities, TimeSpan timeout, Action<bool>? asked = null)
    {
        _asked = asked;
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false, // the answer's address is the one that the configuration names, or none
            UseCookies = false,
            UseProxy = false,
            ConnectTimeout = timeout,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5), // follows DNS
            MaxResponseHeadersLength = 32,
        };
        if (authorities is not null)
        {
            var trusted = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            trusted.CustomTrustStore.ImportFromPemFile(authorities);
            handler.SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = trusted };
        }

        _client = new HttpClient(handler)
        {
            Timeout = timeout,
            MaxResponseContentBufferSize = MaxAnswer,
            DefaultRequestVersion = HttpVersion.Version11,
        };
        _client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("Lintel", null));
    }

    /// <summary>Reads a JSON document.</summary>
    /// <exception cref="ProviderException">There is none, or it does not arrive in time.</exception>
    public async Task<JsonElement> GetAsync(Uri address, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.Accept.ParseAdd("application/json");
        var answer = await SendAsync(request, cancellationToken).ConfigureAwait(false);
        return answer.Status == HttpStatusCode.OK && answer.Json is { ValueKind: JsonValueKind.Object } json
            ? json
            : throw new ProviderException($"{address} answered {(int)answer.Status}{(answer.Json is null ? " without JSON" : "")}");
    }

    /// <summary>Posts a form.</summary>
    /// <exception cref="ProviderException">There is no answer, or it does not arrive in time.</exception>
    public async Task<ProviderAnswer> PostAsync(
        Uri address,
        IEnumerable<KeyValuePair<string, string>> form,
        AuthenticationHeaderValue? authorization,
        CancellationToken cancellationToken
    )
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = new FormUrlEncodedContent(form) };
        request.Headers.Accept.ParseAdd("application/json");
        request.Headers.Authorization = authorization;
        return await SendAsync(request, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Sends a request, and reads its answer to the end.</summary>
    /// <exception cref="ProviderException">There is no answer, or it does not arrive in time.</exception>
    public async Task<ProviderAnswer> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var isAnswered = false;
        try
        {
            using var response = await _client.SendAsync(request, cancellationToken).ConfigureAwait(false);
            var bytes = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
            isAnswered = (int)response.StatusCode < 500;
            return new ProviderAnswer(response.StatusCode, StrictJson.TryParse(bytes, out var json) ? json : null, bytes, response.Headers);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new ProviderException($"{request.RequestUri!.GetLeftPart(UriPartial.Path)} cannot be reached: {e.Message}", e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ProviderException($"{request.RequestUri!.GetLeftPart(UriPartial.Path)} did not answer in time", e);
        }
        finally
        {
            _asked?.Invoke(isAnswered);
        }
    }

    public void Dispose() => _client.Dispose();
}

/// <summary>The answer of a provider.</summary>
/// <param name="Status">Its status.</param>
/// <param name="Json">Its content; <see langword="null"/> if that is not JSON, or has a member twice.</param>
/// <param name="Content">Its content as bytes.</param>
/// <param name="Headers">Its headers.</param>
internal sealed record ProviderAnswer(HttpStatusCode Status, JsonElement? Json, ReadOnlyMemory<byte> Content, HttpResponseHeaders Headers)
{
    /// <summary>A member of the content, if it is text.</summary>
    public string? Text(string name) =>
        Json is { ValueKind: JsonValueKind.Object } json
        && json.TryGetProperty(name, out var value)
        && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;

    /// <summary>Does not disclose the content, which may be a token.</summary>
    public override string ToString() => ((int)Status).ToString(System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>A provider did not answer, or not as its standard says. The message contains no secret.</summary>
internal sealed class ProviderException(string message, Exception? inner = null) : Exception(message, inner);
