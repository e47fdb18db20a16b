using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Services.Discovery;

/// <summary>
/// The passing instances of a service in Consul, by blocking queries: Consul answers when they change
/// (https://developer.hashicorp.com/consul/api-docs/features/blocking).
/// </summary>
internal sealed class ConsulDiscovery : InstanceDiscovery
{
    /// <summary>How long Consul may hold a query without a change. Its own default is 5 min; proxies in between cut off earlier.</summary>
    public static readonly TimeSpan Hold = TimeSpan.FromSeconds(55);

    /// <summary>Consul adds up to a sixteenth of the time (to spread the queries), and the answer needs some.</summary>
    private static readonly TimeSpan Longest = Hold + (Hold / 16) + TimeSpan.FromSeconds(5);

    /// <summary>The minimum time between queries whose answers are different, and those whose are not.</summary>
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(1);

    /// <summary>10 000 instances have about half of it.</summary>
    private const int MaxBytes = 16 * 1024 * 1024;

    private readonly DiscoveryParts _parts;
    private readonly HttpMessageInvoker _client;
    private ulong _index;

    public ConsulDiscovery(string service, DiscoverConfig config, DiscoveryParts parts, IReadOnlyList<InstanceConfig> known)
        : base(service, config, parts, known)
    {
        _parts = parts;
        _client = new HttpMessageInvoker(
            parts.Http?.Invoke()
                ?? new SocketsHttpHandler
                {
                    AllowAutoRedirect = false, // the token is for this address alone
                    AutomaticDecompression = DecompressionMethods.None,
                    UseCookies = false,
                    UseProxy = false,
                    ActivityHeadersPropagator = null,
                    ConnectTimeout = TimeoutsConfig.DefaultConnect,
                    ConnectCallback = ConnectAsync,
                }
        );
    }

    public override void Dispose()
    {
        base.Dispose();
        _client.Dispose();
    }

    protected override async Task<DiscoveryAnswer> QueryAsync(CancellationToken cancellation)
    {
        var started = Time.GetTimestamp();
        var asked = Interlocked.Exchange(ref _index, 0); // a query that fails is followed by one that does not block
        using var timeout = new CancellationTokenSource(Longest, Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellation);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, Target(asked));
            request.Headers.TryAddWithoutValidation("User-Agent", "lintel-discovery");
            if (Config.Token is { } token)
                request.Headers.TryAddWithoutValidation("X-Consul-Token", token);
            using var response = await _client.SendAsync(request, either.Token).ConfigureAwait(false);
            if (response.StatusCode != HttpStatusCode.OK)
                throw new DiscoveryException($"Consul answers with status {(int)response.StatusCode}");
            using var body = await ReadAsync(response.Content, either.Token).ConfigureAwait(false);
            var found = Read(body.RootElement);
            _index = IndexOf(response, asked);
            var isSame = _index <= asked;
            var took = Time.GetElapsedTime(started);
            var next = (isSame ? Calm : Quick) - took;
            return new DiscoveryAnswer(found.Instances, next > TimeSpan.Zero ? next : TimeSpan.Zero) { Ignored = found.Ignored };
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new DiscoveryException($"Consul does not answer within {Scalars.Format(Longest)}");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw new DiscoveryException($"Consul cannot be reached: {e.GetBaseException().Message}", e);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new DiscoveryException("Consul's answer is not the JSON that is expected", e);
        }
    }

    private Uri Target(ulong index)
    {
        var path = Config.Address.GetLeftPart(UriPartial.Path).TrimEnd('/');
        var query = "passing=1";
        if (index > 0)
            query += string.Create(CultureInfo.InvariantCulture, $"&index={index}&wait={(int)Hold.TotalSeconds}s");
        if (Config.Tag is { } tag)
            query += "&tag=" + Uri.EscapeDataString(tag);
        if (Config.Datacenter is { } datacenter)
            query += "&dc=" + Uri.EscapeDataString(datacenter);
        return new Uri($"{path}/v1/health/service/{Uri.EscapeDataString(Config.Consul!)}?{query}");
    }

    /// <summary>The index of the next query; 0 for one that does not block, where this one has gone back or is missing.</summary>
    private static ulong IndexOf(HttpResponseMessage response, ulong asked) =>
        response.Headers.TryGetValues("X-Consul-Index", out var values)
        && ulong.TryParse(values.First(), NumberStyles.None, CultureInfo.InvariantCulture, out var index)
        && index >= asked
            ? index
            : 0;

    private static async Task<JsonDocument> ReadAsync(HttpContent content, CancellationToken cancellation)
    {
        using var stream = await content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await stream.ReadAsync(buffer, cancellation).ConfigureAwait(false)) > 0)
        {
            if (body.Length + read > MaxBytes)
                throw new DiscoveryException($"Consul's answer is larger than {MaxBytes / (1024 * 1024)} MiB");
            body.Write(buffer, 0, read);
        }

        return JsonDocument.Parse(body.GetBuffer().AsMemory(0, (int)body.Length));
    }

    /// <exception cref="InvalidOperationException">A value has another type.</exception>
    private DiscoveredAddresses Read(JsonElement answer)
    {
        var found = new DiscoveredAddresses(Config.Scheme);
        foreach (var entry in answer.EnumerateArray())
        {
            var service = entry.TryGetProperty("Service", out var part) ? part : throw new JsonException();
            var weight =
                service.TryGetProperty("Weights", out var weights)
                && weights.ValueKind == JsonValueKind.Object
                && weights.TryGetProperty("Passing", out var passing)
                    ? Number(passing)
                    : 1;
            var port = service.TryGetProperty("Port", out var number) ? Number(number) : 0;
            found.AddHost(AddressOf(entry, service), port, weight);
        }

        return found;
    }

    private static int Number(JsonElement value) => value.TryGetInt32(out var number) ? number : throw new JsonException(); // too large

    /// <summary>A service without an address of its own has that of its node.</summary>
    private static string AddressOf(JsonElement entry, JsonElement service)
    {
        if (service.TryGetProperty("Address", out var own) && own.GetString() is { Length: > 0 } address)
            return address;
        return entry.TryGetProperty("Node", out var node) && node.TryGetProperty("Address", out var shared) ? shared.GetString() ?? "" : "";
    }

    /// <summary>As the connections of services do: .NET's own lookup of names blocks threads.</summary>
    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var addresses = await _parts.Names.ResolveAsync(context.DnsEndPoint.Host, cancellation).ConfigureAwait(false);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, context.DnsEndPoint.Port, cancellation).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
