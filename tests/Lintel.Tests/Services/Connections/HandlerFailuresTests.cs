using System.Net.Sockets;
using Lintel.Errors;
using Lintel.Services.Connections;
using Lintel.Transport.Http1;

namespace Lintel.Tests.Services.Connections;

/// <summary>Every failure of .NET's handler, in every phase.</summary>
public sealed class HandlerFailuresTests
{
    private const GatewayErrorKind Late = GatewayErrorKind.ResponseTimeout;

    private const string Limit = nameof(GatewayErrorKind.ResponseTimeout);

    /// <summary>What failed; the kind before the answer's head, within its body, and where a time limit is over.</summary>
    public static TheoryData<string, string, string, string> Table { get; } =
        new()
        {
            // What says exactly what failed.
            { "connect", nameof(GatewayErrorKind.Unroutable), nameof(GatewayErrorKind.Unroutable), nameof(GatewayErrorKind.Unroutable) },
            {
                "connect timeout",
                nameof(GatewayErrorKind.ConnectionTimeout),
                nameof(GatewayErrorKind.ConnectionTimeout),
                nameof(GatewayErrorKind.ConnectionTimeout)
            },
            { "memory", nameof(GatewayErrorKind.Overloaded), nameof(GatewayErrorKind.Overloaded), nameof(GatewayErrorKind.Overloaded) },
            { "host", nameof(GatewayErrorKind.BadTarget), nameof(GatewayErrorKind.BadTarget), nameof(GatewayErrorKind.BadTarget) },
            // What another handler than the gateway's own may say of connecting.
            { nameof(HttpRequestError.NameResolutionError), nameof(GatewayErrorKind.DnsError), nameof(GatewayErrorKind.DnsError), Limit },
            { nameof(HttpRequestError.SecureConnectionError), nameof(GatewayErrorKind.TlsError), nameof(GatewayErrorKind.TlsError), Limit },
            {
                nameof(HttpRequestError.ConnectionError),
                nameof(GatewayErrorKind.ConnectionRefused),
                nameof(GatewayErrorKind.ConnectionRefused),
                Limit
            },
            {
                nameof(HttpRequestError.ExtendedConnectNotSupported),
                nameof(GatewayErrorKind.UpgradeFailed),
                nameof(GatewayErrorKind.UpgradeFailed),
                Limit
            },
            // Events on the connection, or the stream on it.
            {
                nameof(HttpRequestError.ConfigurationLimitExceeded),
                nameof(GatewayErrorKind.ResponseHeadTooLarge),
                nameof(GatewayErrorKind.ResponseHeadTooLarge),
                Limit
            },
            {
                nameof(HttpRequestError.InvalidResponse),
                nameof(GatewayErrorKind.ProtocolError),
                nameof(GatewayErrorKind.ResponseIncomplete),
                Limit
            },
            {
                nameof(HttpRequestError.HttpProtocolError),
                nameof(GatewayErrorKind.ProtocolError),
                nameof(GatewayErrorKind.ResponseIncomplete),
                Limit
            },
            {
                nameof(HttpRequestError.VersionNegotiationError),
                nameof(GatewayErrorKind.ProtocolError),
                nameof(GatewayErrorKind.ResponseIncomplete),
                Limit
            },
            {
                nameof(HttpRequestError.ResponseEnded),
                nameof(GatewayErrorKind.ConnectionTerminated),
                nameof(GatewayErrorKind.ResponseIncomplete),
                Limit
            },
            { "body ended", nameof(GatewayErrorKind.ConnectionTerminated), nameof(GatewayErrorKind.ResponseIncomplete), Limit },
            { "trailers too large", nameof(GatewayErrorKind.ResponseHeadTooLarge), nameof(GatewayErrorKind.ResponseHeadTooLarge), Limit },
            { "stream malformed", nameof(GatewayErrorKind.ProtocolError), nameof(GatewayErrorKind.ResponseIncomplete), Limit },
            { "socket", nameof(GatewayErrorKind.ConnectionTerminated), nameof(GatewayErrorKind.ResponseIncomplete), Limit },
            { "wrapped socket", nameof(GatewayErrorKind.ConnectionTerminated), nameof(GatewayErrorKind.ResponseIncomplete), Limit },
            { "io", nameof(GatewayErrorKind.ConnectionTerminated), nameof(GatewayErrorKind.ResponseIncomplete), Limit },
            { "canceled", nameof(GatewayErrorKind.ConnectionTerminated), nameof(GatewayErrorKind.ResponseIncomplete), Limit },
            // Everything else is a defect of the gateway's.
            { nameof(HttpRequestError.Unknown), nameof(GatewayErrorKind.Internal), nameof(GatewayErrorKind.Internal), Limit },
            { "defect", nameof(GatewayErrorKind.Internal), nameof(GatewayErrorKind.Internal), Limit },
        };

    [Theory]
    [MemberData(nameof(Table))]
    public void Failure_InEachPhase_HasItsKind(string failure, string before, string within, string late)
    {
        foreach (var phase in Enum.GetValues<AttemptPhase>())
        {
            var kind =
                phase == AttemptPhase.Body ? within
                : phase == AttemptPhase.Sending && before == nameof(GatewayErrorKind.Internal)
                    ? nameof(GatewayErrorKind.ConnectionTerminated)
                : before;
            Assert.Equal(kind, HandlerFailures.KindOf(Create(failure), phase, expired: null).ToString());
            Assert.Equal(late, HandlerFailures.Of(Create(failure), phase, Late).Kind.ToString());
        }
    }

    [Fact]
    public void Table_HasEveryErrorOfTheHandler()
    {
        var names = Table.Select(r => (string)r.Data.Item1).ToList();
        Assert.Empty(
            Enum.GetNames<HttpRequestError>()
                .Except(names)
                .Except([nameof(HttpRequestError.UserAuthenticationError), nameof(HttpRequestError.ProxyTunnelError)])
        );
    }

    /// <summary>What the connection's own stream says goes by the table of the HTTP/1.1 client.</summary>
    [Fact]
    public void FailureOfTheStream_IsThatOfTheOtherStack()
    {
        foreach (var failure in Enum.GetValues<Http1Failure>())
        {
            foreach (var phase in Enum.GetValues<AttemptPhase>())
            {
                var e = new HttpRequestException("x", new IOException("y", new Http1Exception(failure, "z")));
                Assert.Equal(Http1Failures.KindOf(failure, phase, null), HandlerFailures.KindOf(e, phase, null));
            }
        }
    }

    private static Exception Create(string failure) =>
        failure switch
        {
            "connect" => new HttpRequestException("x", new UpstreamConnectException(GatewayErrorKind.Unroutable, new IOException())),
            "connect timeout" => new TaskCanceledException("x", new TimeoutException()),
            "memory" => new HttpRequestException("x", new InsufficientMemoryException()),
            "host" => new UnsendableHostException(new FormatException()),
            "body ended" => new HttpIOException(HttpRequestError.ResponseEnded),
            "trailers too large" => new HttpIOException(HttpRequestError.ConfigurationLimitExceeded),
            "stream malformed" => new HttpIOException(HttpRequestError.InvalidResponse),
            "socket" => new SocketException((int)SocketError.ConnectionReset),
            "wrapped socket" => new HttpRequestException("x", new IOException("y", new SocketException((int)SocketError.ConnectionReset))),
            "io" => new AggregateException(new IOException(), new IOException()),
            "canceled" => new OperationCanceledException(),
            "defect" => new InvalidOperationException(),
            _ => new HttpRequestException(Enum.Parse<HttpRequestError>(failure), "x"),
        };
}
