using System.Net.Sockets;
using Lintel.Errors;
using Lintel.Services.Connections;
using Lintel.Transport.Http1;

namespace Lintel.Tests.Services.Connections;

/// <summary>Every failure of .NET's handler, in every phase.</summary>
public sealed class HandlerFailuresTests
{
    private const GatewayErrorKind Late = GatewayErrorKind.ResponseTimeout;

    /// <summary>What failed; the kind before the answer's head, within its body, and where a time limit is over.</summary>
    public static TheoryData<string, GatewayErrorKind, GatewayErrorKind, GatewayErrorKind> Table { get; } =
        new()
        {
            // What says exactly what failed.
            { "connect", GatewayErrorKind.Unroutable, GatewayErrorKind.Unroutable, GatewayErrorKind.Unroutable },
            {
                "connect timeout",
                GatewayErrorKind.ConnectionTimeout,
                GatewayErrorKind.ConnectionTimeout,
                GatewayErrorKind.ConnectionTimeout
            },
            { "memory", GatewayErrorKind.Overloaded, GatewayErrorKind.Overloaded, GatewayErrorKind.Overloaded },
            { "host", GatewayErrorKind.BadTarget, GatewayErrorKind.BadTarget, GatewayErrorKind.BadTarget },
            // What another handler than the gateway's own may say of connecting.
            { nameof(HttpRequestError.NameResolutionError), GatewayErrorKind.DnsError, GatewayErrorKind.DnsError, Late },
            { nameof(HttpRequestError.SecureConnectionError), GatewayErrorKind.TlsError, GatewayErrorKind.TlsError, Late },
            { nameof(HttpRequestError.ConnectionError), GatewayErrorKind.ConnectionRefused, GatewayErrorKind.ConnectionRefused, Late },
            { nameof(HttpRequestError.ExtendedConnectNotSupported), GatewayErrorKind.UpgradeFailed, GatewayErrorKind.UpgradeFailed, Late },
            // Events on the connection, or the stream on it.
            {
                nameof(HttpRequestError.ConfigurationLimitExceeded),
                GatewayErrorKind.ResponseHeadTooLarge,
                GatewayErrorKind.ResponseHeadTooLarge,
                Late
            },
            { nameof(HttpRequestError.InvalidResponse), GatewayErrorKind.ProtocolError, GatewayErrorKind.ResponseIncomplete, Late },
            { nameof(HttpRequestError.HttpProtocolError), GatewayErrorKind.ProtocolError, GatewayErrorKind.ResponseIncomplete, Late },
            { nameof(HttpRequestError.VersionNegotiationError), GatewayErrorKind.ProtocolError, GatewayErrorKind.ResponseIncomplete, Late },
            { nameof(HttpRequestError.ResponseEnded), GatewayErrorKind.ConnectionTerminated, GatewayErrorKind.ResponseIncomplete, Late },
            { "body ended", GatewayErrorKind.ConnectionTerminated, GatewayErrorKind.ResponseIncomplete, Late },
            { "trailers too large", GatewayErrorKind.ResponseHeadTooLarge, GatewayErrorKind.ResponseHeadTooLarge, Late },
            { "stream malformed", GatewayErrorKind.ProtocolError, GatewayErrorKind.ResponseIncomplete, Late },
            { "socket", GatewayErrorKind.ConnectionTerminated, GatewayErrorKind.ResponseIncomplete, Late },
            { "wrapped socket", GatewayErrorKind.ConnectionTerminated, GatewayErrorKind.ResponseIncomplete, Late },
            { "io", GatewayErrorKind.ConnectionTerminated, GatewayErrorKind.ResponseIncomplete, Late },
            { "canceled", GatewayErrorKind.ConnectionTerminated, GatewayErrorKind.ResponseIncomplete, Late },
            // Everything else is a defect of the gateway's.
            { nameof(HttpRequestError.Unknown), GatewayErrorKind.Internal, GatewayErrorKind.Internal, Late },
            { "defect", GatewayErrorKind.Internal, GatewayErrorKind.Internal, Late },
        };

    [Theory]
    [MemberData(nameof(Table))]
    public void Failure_InEachPhase_HasItsKind(string failure, GatewayErrorKind before, GatewayErrorKind within, GatewayErrorKind late)
    {
        foreach (var phase in Enum.GetValues<AttemptPhase>())
        {
            var kind =
                phase == AttemptPhase.Body ? within
                : phase == AttemptPhase.Sending && before == GatewayErrorKind.Internal ? GatewayErrorKind.ConnectionTerminated
                : before;
            Assert.Equal(kind, HandlerFailures.KindOf(Create(failure), phase, expired: null));
            Assert.Equal(late, HandlerFailures.Of(Create(failure), phase, Late).Kind);
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
