using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Lintel.Config;
using Lintel.Services.Connections;

namespace Lintel.Services.Health;

/// <summary>Runs the active checks of one instance, one at a time, over connections that clients' requests do not use.</summary>
internal sealed class InstanceChecks : IDisposable
{
    /// <summary>The part of a body that is searched for the expected text.</summary>
    private const int MaxBody = 64 * 1024;

    private readonly Service _service;
    private readonly Instance _instance;
    private readonly ActiveHealthConfig _config;
    private readonly ServiceHealth _health;
    private readonly ServiceParts _parts;
    private readonly CancellationTokenSource _ended = new();
    private readonly ITimer _timer;
    private bool _isRunning;

    public InstanceChecks(Service service, Instance instance, ActiveHealthConfig config, ServiceHealth health, ServiceParts parts)
    {
        _service = service;
        _instance = instance;
        _config = config;
        _health = health;
        _parts = parts;
        instance.Health.ClaimChecks(this);

        _timer = parts.Time.CreateTimer(
            static s => _ = ((InstanceChecks)s!).RunAsync(),
            this,
            System.Threading.Timeout.InfiniteTimeSpan,
            System.Threading.Timeout.InfiniteTimeSpan
        );
        // The first check runs at once: a dead instance should not be discovered by clients.
        _ = _timer.Change(TimeSpan.Zero, System.Threading.Timeout.InfiniteTimeSpan);
    }

    public void Dispose()
    {
        _instance.Health.LeaveChecks(this);
        _timer.Dispose();
        _ended.Cancel(); // not disposed: a check may still use it
    }

    /// <summary>The interval is measured from start to start; a check that takes longer skips the next one.</summary>
    private async Task RunAsync()
    {
        var spread = _config.Every * (_config.Jitter / 100);
        _ = _timer.Change(_config.Every - (spread / 2) + (spread * _parts.Random.NextDouble()), System.Threading.Timeout.InfiniteTimeSpan);
        if (!_instance.Health.OwnsChecks(this) || Interlocked.Exchange(ref _isRunning, true))
            return;
        var problem = await CheckAsync(_ended.Token).ConfigureAwait(false);
        Volatile.Write(ref _isRunning, false);
        if (!_ended.IsCancellationRequested)
            _health.Checked(_instance, problem);
    }

    /// <summary>Performs one check. Never throws.</summary>
    /// <returns>The problem; <see langword="null"/> if the check passed.</returns>
    private async ValueTask<string?> CheckAsync(CancellationToken ended)
    {
        using var timeout = new CancellationTokenSource(_config.Timeout, _parts.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, ended);
        try
        {
            if (_config.Tcp)
                return await ConnectAsync(either.Token).ConfigureAwait(false);
            using var message = _config.Grpc is { } name
                ? GrpcCheck(name)
                : new HttpRequestMessage(HttpMethod.Get, AddressOf(_config.Path!));
            message.Version = _service.Config.Protocol == ServiceProtocol.Http2 ? HttpVersion.Version20 : HttpVersion.Version11;
            message.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
            message.Headers.TryAddWithoutValidation("User-Agent", "lintel-health");
            HostField.Set(message, _service.HostFor(_instance, client: null));
            using var response = await _service.Invoker.SendAsync(message, either.Token).ConfigureAwait(false);
            return _config.Grpc is null
                ? await JudgeAsync(response, either.Token).ConfigureAwait(false)
                : await JudgeGrpcAsync(response, either.Token).ConfigureAwait(false);
        }
        catch (Exception) when (timeout.IsCancellationRequested)
        {
            return $"no answer within {Config.Grammars.Scalars.Format(_config.Timeout)}";
        }
        catch (Exception e)
        {
            return e.GetBaseException().Message;
        }
    }

    private Uri AddressOf(string target) =>
        new(_instance.Prefix + target, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });

    private async ValueTask<string?> ConnectAsync(CancellationToken cancellation)
    {
        if (_instance.Port == 0)
        {
            using var local = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await local.ConnectAsync(new UnixDomainSocketEndPoint(_instance.Host), cancellation).ConfigureAwait(false);
            return null;
        }

        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(_instance.ConnectHost, _instance.Port, cancellation).ConfigureAwait(false);
        return null;
    }

    private async ValueTask<string?> JudgeAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        var status = (int)response.StatusCode;
        var isExpected = _config.Expect.Status.Count == 0 ? status is >= 200 and < 300 : _config.Expect.Status.Contains(status);
        if (!isExpected)
            return $"status {status}";
        var (body, length) = await ReadAsync(response, cancellation).ConfigureAwait(false);
        return _config.Expect.Body is { } text && !Encoding.UTF8.GetString(body, 0, length).Contains(text, StringComparison.Ordinal)
            ? $"the body does not contain `{text}`"
            : null;
    }

    private static async ValueTask<(byte[] Body, int Length)> ReadAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        var body = new byte[MaxBody];
        using var stream = await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        var length = await stream.ReadAtLeastAsync(body, body.Length, throwOnEndOfStream: false, cancellation).ConfigureAwait(false);
        return (body, length);
    }

    // gRPC's health protocol (https://github.com/grpc/grpc/blob/master/doc/health-checking.md): one field in each direction, so that a
    // library would be more code than it saves.

    private HttpRequestMessage GrpcCheck(string name)
    {
        var text = Encoding.UTF8.GetBytes(name);
        var length = text.Length == 0 ? 0 : 1 + VarintLength(text.Length) + text.Length;
        var frame = new byte[5 + length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), length);
        if (length > 0)
        {
            frame[5] = 0x0a; // field 1, a string
            var at = 6;
            var left = (uint)text.Length;
            for (; left >= 0x80; left >>= 7)
                frame[at++] = (byte)(left | 0x80);
            frame[at++] = (byte)left;
            text.CopyTo(frame, at);
        }

        var message = new HttpRequestMessage(HttpMethod.Post, AddressOf("/grpc.health.v1.Health/Check"))
        {
            Content = new ByteArrayContent(frame),
        };
        message.Content.Headers.TryAddWithoutValidation("Content-Type", "application/grpc");
        message.Headers.TryAddWithoutValidation("TE", "trailers");
        return message;

        static int VarintLength(int value) =>
            value < 0x80 ? 1
            : value < 0x4000 ? 2
            : 3;
    }

    private static async ValueTask<string?> JudgeGrpcAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        if (response.StatusCode != HttpStatusCode.OK)
            return $"status {(int)response.StatusCode}";
        var (body, length) = await ReadAsync(response, cancellation).ConfigureAwait(false);
        var status = First(response.TrailingHeaders) ?? First(response.Headers);
        if (status != "0")
            return $"gRPC status {status ?? "missing"}";
        // A frame's head, then field 1 as a varint: 1 is SERVING; an empty message is 0, UNKNOWN.
        var serving = length >= 7 && body[0] == 0 && body[5] == 0x08 ? body[6] : 0;
        return serving switch
        {
            1 => null,
            2 => "NOT_SERVING",
            3 => "SERVICE_UNKNOWN",
            _ => "UNKNOWN",
        };

        static string? First(System.Net.Http.Headers.HttpHeaders headers) =>
            headers.TryGetValues("grpc-status", out var values) ? values.FirstOrDefault() : null;
    }
}
