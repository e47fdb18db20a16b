using System.Net.Sockets;
using System.Text;
using Lintel.Composition.Calls;
using Lintel.Errors;
using Lintel.Services.Connections;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Composition.Calls;

/// <summary>The attempts of a call: which failures lead to another instance, and the error if none helps.</summary>
public sealed class CallAttemptsTests
{
    private readonly FakeTimeProvider _time = new();

    /// <summary>Kinds of failure by whether anything was sent.</summary>
    public static TheoryData<string, bool> Kinds { get; } =
        new()
        {
            { nameof(GatewayErrorKind.ConnectionRefused), true },
            { nameof(GatewayErrorKind.ConnectionTimeout), true },
            { nameof(GatewayErrorKind.Unroutable), true },
            { nameof(GatewayErrorKind.DnsError), true },
            { nameof(GatewayErrorKind.TlsError), true },
            { nameof(GatewayErrorKind.TlsCertificate), true },
            { nameof(GatewayErrorKind.OutOfSockets), false }, // another instance needs a socket too
            { nameof(GatewayErrorKind.ConnectionTerminated), false },
            { nameof(GatewayErrorKind.ProtocolError), false },
            { nameof(GatewayErrorKind.ResponseHeadTooLarge), false },
            { nameof(GatewayErrorKind.ResponseIncomplete), false },
        };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Failure_BeforeAnythingWasSent_TriesAnotherInstance_AndNoOtherFailureDoes(string name, bool goesOn)
    {
        var kind = Enum.Parse<GatewayErrorKind>(name);
        foreach (var method in (string[])["GET", "POST"])
        {
            var service = new Failing(n => n == 1 ? Failure(kind) : null);
            using var gateway = Gateway(service, $"x: {{ request: {method} a/x }}", instances: 3);
            var answer = await gateway.GetAsync();
            Assert.Equal((method, goesOn ? 200 : ErrorTable.Get(kind).Status), (method, answer.Status));
            Assert.Equal((method, goesOn ? 2 : 1), (method, service.Hosts.Count));
            Assert.Equal(ErrorTable.Get(kind).Slug, Assert.Single(gateway.Failures));
            Assert.Equal(service.Hosts.Count, service.Hosts.Distinct().Count());
            Assert.Equal(0, gateway.Busy);
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(5, 3)]
    public async Task Instances_ThatAllRefuse_AreTriedThreeTimesAtMost(int instances, int attempts)
    {
        var service = new Failing(_ => Failure(GatewayErrorKind.ConnectionRefused));
        using var gateway = Gateway(service, "x: a/x", instances);
        var answer = await gateway.GetAsync();
        Assert.Equal((502, attempts, attempts), (answer.Status, service.Hosts.Count, service.Hosts.Distinct().Count()));
        Assert.Contains("err=connection-refused", answer.Of("x"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Attempts_CountAsRequests()
    {
        var service = new Failing(_ => Failure(GatewayErrorKind.ConnectionRefused));
        using var gateway = Gateway(service, "x: a/x", instances: 5, "limits: { requests: 2 }\n");
        Assert.Contains("err=too-many-items", (await gateway.GetAsync()).Of("x"), StringComparison.Ordinal);
        Assert.Equal(2, service.Hosts.Count);
    }

    [Fact]
    public async Task TimeOfTheCall_CoversAllItsAttempts()
    {
        var service = new Failing(n =>
        {
            _time.Advance(TimeSpan.FromSeconds(6));
            return Failure(GatewayErrorKind.ConnectionRefused);
        });
        using var gateway = Gateway(service, "x: { request: a/x, timeout: 10s }", instances: 5);
        Assert.Contains("err=connection-refused", (await gateway.GetAsync()).Of("x"), StringComparison.Ordinal); // what is known of it
        Assert.Equal(2, service.Hosts.Count);
    }

    [Fact]
    public async Task Answer_OfAnotherProtocol_IsAProtocolError()
    {
        var service = new MemoryService();
        service.On("x", 101, "");
        using var gateway = MemoryGateway.Compose("calls: { x: a/x }", service);
        Assert.Contains("err=protocol-error", (await gateway.GetAsync()).Of("x"), StringComparison.Ordinal);
    }

    /// <summary>The answer's body: what fails within it, and its time.</summary>
    [Theory]
    [InlineData("ended", "response-incomplete")]
    [InlineData("reset", "response-incomplete")]
    [InlineData("malformed", "response-incomplete")]
    [InlineData("stands still", "response-timeout")]
    public async Task Body_ThatIsNeverWhole_IsTold(string end, string error)
    {
        var body = new Body(end);
        using var gateway = Gateway(new Failing(_ => null, body), "x: { request: a/x, timeout: 10s }");
        var asked = gateway.GetAsync();
        if (end == "stands still")
        {
            await body.IsRead.WaitAsync(TimeSpan.FromMinutes(1));
            _time.Advance(TimeSpan.FromSeconds(10));
        }

        Assert.Contains("err=" + error, (await asked).Of("x"), StringComparison.Ordinal);
        Assert.Equal(0, gateway.Memory.Used);
    }

    [Fact]
    public void Client_WhoHasLeft_IsWhatEveryFailureMeans() => Assert.Equal(GatewayErrorKind.ClientAborted, CallAttempts.Canceled.Kind);

    private MemoryGateway Gateway(HttpMessageHandler service, string call, int instances = 1, string more = "")
    {
        var addresses = string.Join(", ", Enumerable.Range(1, instances).Select(i => $"\"http://i{i}.test\""));
        return new MemoryGateway(
            $$"""
            services: { a: { instances: [{{addresses}}], balancing: roundRobin } }
            routes:
              c:
                match: /c/{id}
                compose: { {{more.TrimEnd().Replace("\n", "", StringComparison.Ordinal)}}{{(
                more.Length > 0 ? ", " : ""
            )}}calls: { {{call}} } }
            """,
            service,
            _time
        );
    }

    private static HttpRequestException Failure(GatewayErrorKind kind) =>
        kind switch
        {
            GatewayErrorKind.ConnectionTerminated => new HttpRequestException(HttpRequestError.ResponseEnded, "x"),
            GatewayErrorKind.ProtocolError => new HttpRequestException(HttpRequestError.InvalidResponse, "x"),
            GatewayErrorKind.ResponseHeadTooLarge => new HttpRequestException(HttpRequestError.ConfigurationLimitExceeded, "x"),
            _ => new HttpRequestException("x", new UpstreamConnectException(kind, new IOException("x"))),
        };

    /// <summary>Fails as the test requests, and answers <c>1</c> otherwise.</summary>
    private sealed class Failing(Func<int, Exception?> failure, Body? body = null) : HttpMessageHandler
    {
        public List<string> Hosts { get; } = [];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Hosts.Add(request.RequestUri!.Host);
            if (failure(Hosts.Count) is { } e)
                return Task.FromException<HttpResponseMessage>(e);
            HttpContent content = body is null ? new StringContent("1", Encoding.UTF8, "application/json") : new StreamContent(body);
            return Task.FromResult(new HttpResponseMessage { Content = content });
        }
    }

    /// <summary>A body that begins and never completes.</summary>
    private sealed class Body(string end) : MemoryStream
    {
        private readonly TaskCompletionSource _read = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private bool _hasBegun;

        public Task IsRead => _read.Task;

        public override bool CanSeek => false;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (!_hasBegun)
            {
                _hasBegun = true;
                buffer.Span[0] = (byte)'[';
                return 1;
            }

            _read.TrySetResult();
            switch (end)
            {
                case "ended":
                    throw new HttpIOException(HttpRequestError.ResponseEnded);
                case "reset":
                    throw new IOException("x", new SocketException((int)SocketError.ConnectionReset));
                case "malformed":
                    throw new HttpIOException(HttpRequestError.InvalidResponse);
                default:
                    await Task.Delay(Timeout.Infinite, cancellationToken);
                    return 0;
            }
        }
    }
}
