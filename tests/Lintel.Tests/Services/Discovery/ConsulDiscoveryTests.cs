using System.Collections.Concurrent;
using System.Net;
using Lintel.Config;
using Lintel.Services.Discovery;
using Lintel.TestKit;

namespace Lintel.Tests.Services.Discovery;

public sealed class ConsulDiscoveryTests : IDisposable
{
    private static readonly DiscoverConfig Orders = new()
    {
        Consul = "orders",
        Address = new Uri("http://consul.internal:8500/prefix/"),
        Tag = "v2&x",
        Token = "secret-token",
        Datacenter = "dc1",
    };

    private readonly Answers _consul = new();
    private readonly DiscoveredServices _services;

    public ConsulDiscoveryTests() => _services = new DiscoveredServices(() => _consul);

    public void Dispose() => _services.Dispose();

    [Fact]
    public async Task Query_AsksForPassingInstances_AndThenForChanges()
    {
        _consul.Say(
            """[{"Node":{"Address":"10.0.0.9"},"Service":{"Address":"10.0.0.1","Port":8080,"Weights":{"Passing":5,"Warning":1}}},"""
                + """{"Node":{"Address":"10.0.0.2"},"Service":{"Address":"","Port":8081}},"""
                + """{"Node":{"Address":"10.0.0.3"},"Service":{"Address":"orders-3.internal","Port":8082,"Weights":{"Passing":0}}}]""",
            index: 17
        );
        var service = _services.Start(Orders);
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1:8080 http://10.0.0.2:8081 http://orders-3.internal:8082");
        Assert.Equal([5, 1, 1], service.Discovery!.Current.Select(i => i.Weight));
        await _services.AdvanceAsync(() => _consul.Targets.Count == 2);
        Assert.Equal(
            [
                "/prefix/v1/health/service/orders?passing=1&tag=v2%26x&dc=dc1",
                "/prefix/v1/health/service/orders?passing=1&index=17&wait=55s&tag=v2%26x&dc=dc1",
            ],
            _consul.Targets
        );
        Assert.All(_consul.Tokens, t => Assert.Equal("secret-token", t));
        Assert.DoesNotContain(_services.Log, l => l.Contains("secret-token", StringComparison.Ordinal));
        Assert.DoesNotContain("secret-token", service.Discovery!.Status.Source, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)] // no index
    [InlineData("0")]
    [InlineData("x")]
    [InlineData("3")] // it has gone back: Consul was restarted
    public async Task Index_ThatIsMissingOrSmaller_IsReset_AndTheNextQueryDoesNotBlock(string? index)
    {
        _consul.Say(Instance("10.0.0.1"), index: 17);
        var service = _services.Start(Orders);
        await _services.AdvanceAsync(() => _consul.Targets.Count == 2);
        _consul.Say(Instance("10.0.0.2"), index);
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.2:8080");
        await _services.AdvanceAsync(() => _consul.Targets.Count == 3);
        Assert.DoesNotContain("index", _consul.Targets.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Consul_ThatAnswersAtOnce_IsNotAskedInACircle()
    {
        _consul.IsQuick = true;
        _consul.Say(Instance("10.0.0.1"), index: 17);
        _services.Start(Orders);
        await _services.AdvanceAsync(() => _consul.Targets.Count >= 3, step: 0.1);
        var (asked, began) = (_consul.Targets.Count, _services.Time.GetUtcNow());
        await _services.AdvanceAsync(() => _consul.Targets.Count >= asked + 5, step: 0.1);
        Assert.True(_services.Time.GetUtcNow() - began > TimeSpan.FromSeconds(4), $"after {_services.Time.GetUtcNow() - began}");
    }

    [Theory]
    [InlineData("[", "not the JSON")]
    [InlineData("{}", "not the JSON")]
    [InlineData("null", "not the JSON")]
    [InlineData("""["orders"]""", "not the JSON")]
    [InlineData("""[{"Node":{}}]""", "not the JSON")]
    [InlineData("""[{"Service":{"Address":7,"Port":8080}}]""", "not the JSON")]
    [InlineData("""[{"Service":{"Address":"10.0.0.2","Port":"8080"}}]""", "not the JSON")]
    [InlineData("""[{"Service":{"Address":"10.0.0.2","Port":1e99}}]""", "not the JSON")]
    [InlineData("""[{"Service":{"Address":"10.0.0.2","Port":8080,"Weights":{"Passing":[]}}}]""", "not the JSON")]
    [InlineData("[]", "has no instances")]
    [InlineData("""[{"Service":{"Address":"10.0.0.2","Port":0}}]""", "10.0.0.2 has no port")]
    [InlineData("""[{"Service":{"Address":"10.0.0.2","Port":70000}}]""", "10.0.0.2 has no port")]
    [InlineData("""[{"Service":{"Address":"169.254.169.254","Port":80}}]""", "169.254.169.254 is not an address of an instance")]
    [InlineData("""[{"Service":{"Address":"evil/?@#\r\n","Port":80}}]""", "neither an IP address nor a host name")]
    [InlineData("""[{"Service":{"Port":80}}]""", "neither an IP address nor a host name")]
    public async Task Answer_ThatCannotBeUsed_KeepsTheLastInstances(string answer, string reason)
    {
        _consul.Say(Instance("10.0.0.1"), index: 17);
        var service = _services.Start(Orders);
        await _services.AdvanceAsync(() => _consul.Targets.Count == 2);
        _consul.Say(answer, index: 18);
        await Until.TrueAsync(() => service.Discovery!.Status.Error is not null);
        Assert.Contains(reason, service.Discovery!.Status.Error, StringComparison.Ordinal);
        Assert.Equal("http://10.0.0.1:8080", DiscoveredServices.Names(service));
        _consul.IsQuick = true;
        _consul.Say(Instance("10.0.0.2"), index: 19);
        await _services.AdvanceAsync(() => DiscoveredServices.Names(service) == "http://10.0.0.2:8080");
    }

    [Fact]
    public async Task Answer_WithoutEnd_IsCutOff()
    {
        _consul.Body = () => new EndlessStream();
        _consul.Say("", index: 17);
        var service = _services.Start(Orders);
        await Until.TrueAsync(() => service.Discovery!.Status.Error == "Consul's answer is larger than 16 MiB");
    }

    [Theory]
    [InlineData(HttpStatusCode.InternalServerError)]
    [InlineData(HttpStatusCode.Forbidden)]
    [InlineData(HttpStatusCode.TemporaryRedirect)]
    public async Task Status_OtherThan200_IsAFailure_AndTheNextQueryDoesNotBlock(HttpStatusCode status)
    {
        _consul.Say(Instance("10.0.0.1"), index: 17);
        var service = _services.Start(Orders);
        await _services.AdvanceAsync(() => _consul.Targets.Count == 2);
        _consul.Status = status;
        _consul.Say("no", index: 18);
        await Until.TrueAsync(() => service.Discovery!.Status.Error == $"Consul answers with status {(int)status}");
        Assert.Single(service.Instances.All);
        await _services.AdvanceAsync(() => _consul.Targets.Count == 3);
        Assert.DoesNotContain("index", _consul.Targets.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Consul_ThatHangs_IsGivenUpAfterItsTime()
    {
        _consul.Say(Instance("10.0.0.1"), index: 17);
        var service = _services.Start(Orders);
        await _services.AdvanceAsync(() => _consul.Targets.Count == 2);
        var began = _services.Time.GetUtcNow();
        await _services.AdvanceAsync(() => service.Discovery!.Status.Error is not null, step: 1);
        Assert.StartsWith("Consul does not answer within", service.Discovery!.Status.Error, StringComparison.Ordinal);
        Assert.InRange(_services.Time.GetUtcNow() - began, ConsulDiscovery.Hold, ConsulDiscovery.Hold + TimeSpan.FromSeconds(12));
    }

    private static string Instance(string address) => $$$"""[{"Service":{"Address":"{{{address}}}","Port":8080}}]""";

    /// <summary>Consul as far as its answers go: a query with an index waits for the next one.</summary>
    private sealed class Answers : HttpMessageHandler
    {
        private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private string _answer = "[]";
        private string? _index;

        public ConcurrentQueue<string> Targets { get; } = new();

        public ConcurrentQueue<string> Tokens { get; } = new();

        public HttpStatusCode Status { get; set; } = HttpStatusCode.OK;

        /// <summary>Whether it does not wait.</summary>
        public bool IsQuick { get; set; }

        public Func<Stream>? Body { get; set; }

        public void Say(string answer, object? index)
        {
            (_answer, _index) = (answer, index?.ToString());
            Interlocked.Exchange(ref _changed, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
        }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var changed = Volatile.Read(ref _changed).Task;
            Targets.Enqueue(request.RequestUri!.PathAndQuery);
            Tokens.Enqueue(request.Headers.GetValues("X-Consul-Token").Single());
            if (!IsQuick && request.RequestUri.Query.Contains("index=", StringComparison.Ordinal))
                await changed.WaitAsync(cancellationToken);
            var response = new HttpResponseMessage(Status)
            {
                Content = Body is { } body ? new StreamContent(body()) : new StringContent(_answer),
            };
            if (_index is not null)
                response.Headers.TryAddWithoutValidation("X-Consul-Index", _index);
            return response;
        }
    }

    private sealed class EndlessStream : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush() { }

        public override int Read(byte[] buffer, int offset, int count)
        {
            Array.Fill(buffer, (byte)'[', offset, count);
            return count;
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
