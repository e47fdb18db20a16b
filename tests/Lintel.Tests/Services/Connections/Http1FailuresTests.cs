using Lintel.Errors;
using Lintel.Services.Connections;
using Lintel.Transport.Http1;

namespace Lintel.Tests.Services.Connections;

/// <summary>Every failure of the HTTP/1.1 client, in every phase.</summary>
public sealed class Http1FailuresTests
{
    /// <summary>The kind before the answer's head, and the one within its body.</summary>
    public static TheoryData<Http1Failure, string, string> Table { get; } =
        new()
        {
            { Http1Failure.Terminated, nameof(GatewayErrorKind.ConnectionTerminated), nameof(GatewayErrorKind.ResponseIncomplete) },
            { Http1Failure.Incomplete, nameof(GatewayErrorKind.ConnectionTerminated), nameof(GatewayErrorKind.ResponseIncomplete) },
            { Http1Failure.Malformed, nameof(GatewayErrorKind.ProtocolError), nameof(GatewayErrorKind.ResponseIncomplete) },
            { Http1Failure.HeadTooLarge, nameof(GatewayErrorKind.ResponseHeadTooLarge), nameof(GatewayErrorKind.ResponseHeadTooLarge) },
            { Http1Failure.TimedOut, nameof(GatewayErrorKind.IdleTimeout), nameof(GatewayErrorKind.IdleTimeout) },
            { Http1Failure.Aborted, nameof(GatewayErrorKind.ClientAborted), nameof(GatewayErrorKind.ClientAborted) },
            { Http1Failure.BadRequest, nameof(GatewayErrorKind.Internal), nameof(GatewayErrorKind.Internal) },
        };

    [Theory]
    [MemberData(nameof(Table))]
    public void Failure_InEachPhase_HasItsKind(Http1Failure failure, string before, string within)
    {
        foreach (var phase in Enum.GetValues<AttemptPhase>())
        {
            var kind = phase == AttemptPhase.Body ? within : before;
            Assert.Equal(kind, Http1Failures.KindOf(failure, phase, expired: null).ToString());
            var error = Http1Failures.Of(new IOException("below", new Http1Exception(failure, "x")), phase, expired: null);
            Assert.Equal(kind, error.Kind.ToString()); // TLS wraps what the socket says
        }
    }

    [Fact]
    public void Table_HasEveryFailure() => Assert.Equal(Enum.GetValues<Http1Failure>().Length, Table.Count);

    /// <summary>A timer that has fired means the limit that was set; no other failure is taken for it.</summary>
    [Theory]
    [InlineData(nameof(GatewayErrorKind.ResponseTimeout))]
    [InlineData(nameof(GatewayErrorKind.DeadlineExceeded))]
    public void TimeLimit_ThatIsOver_IsWhatATimerMeans(string limit)
    {
        var expired = Enum.Parse<GatewayErrorKind>(limit);
        foreach (var phase in Enum.GetValues<AttemptPhase>())
        {
            Assert.Equal(expired, Http1Failures.KindOf(Http1Failure.TimedOut, phase, expired));
            Assert.NotEqual(expired, Http1Failures.KindOf(Http1Failure.Incomplete, phase, expired));
        }
    }

    [Fact]
    public void Connection_ThatIsNotMade_SaysWhy()
    {
        const GatewayErrorKind Late = GatewayErrorKind.ResponseTimeout;
        var refused = new UpstreamConnectException(GatewayErrorKind.ConnectionRefused, new IOException());
        Assert.Equal(GatewayErrorKind.ConnectionRefused, Of(refused, Late)); // it says exactly what failed
        Assert.Equal(Late, Of(new OperationCanceledException(), Late));
        Assert.Equal(GatewayErrorKind.ConnectionTerminated, Of(new OperationCanceledException(), null));
        Assert.Equal(GatewayErrorKind.ConnectionTerminated, Of(new ObjectDisposedException("pool"), Late));
        Assert.Equal(GatewayErrorKind.Overloaded, Of(new InsufficientMemoryException(), null));
        Assert.Equal(GatewayErrorKind.Internal, Of(new InvalidOperationException(), null));

        static GatewayErrorKind Of(Exception e, GatewayErrorKind? expired) => Http1Failures.Of(e, AttemptPhase.Connecting, expired).Kind;
    }
}
