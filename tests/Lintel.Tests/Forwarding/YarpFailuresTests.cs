using Lintel.Errors;
using Lintel.Forwarding;
using Lintel.Services.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Yarp.ReverseProxy.Forwarder;

namespace Lintel.Tests.Forwarding;

/// <summary>Every error of YARP, with its causes in the gateway.</summary>
public sealed class YarpFailuresTests
{
    private readonly FakeTimeProvider _time = new();

    /// <summary>The kind if the connection ended, and the one if the exchange was canceled without a reason of the gateway.</summary>
    public static TheoryData<ForwarderError, string, string> Table { get; } =
        new()
        {
            { ForwarderError.Request, nameof(GatewayErrorKind.ConnectionTerminated), nameof(GatewayErrorKind.ConnectionTerminated) },
            { ForwarderError.RequestTimedOut, nameof(GatewayErrorKind.IdleTimeout), nameof(GatewayErrorKind.IdleTimeout) },
            {
                ForwarderError.RequestCanceled,
                nameof(GatewayErrorKind.ConnectionTerminated),
                nameof(GatewayErrorKind.ConnectionTerminated)
            },
            {
                ForwarderError.RequestBodyCanceled,
                nameof(GatewayErrorKind.ConnectionTerminated),
                nameof(GatewayErrorKind.ConnectionTerminated)
            },
            {
                ForwarderError.RequestBodyClient,
                nameof(GatewayErrorKind.ConnectionTerminated),
                nameof(GatewayErrorKind.ConnectionTerminated)
            },
            {
                ForwarderError.RequestBodyDestination,
                nameof(GatewayErrorKind.ConnectionTerminated),
                nameof(GatewayErrorKind.ConnectionTerminated)
            },
            {
                ForwarderError.ResponseHeaders,
                nameof(GatewayErrorKind.ConnectionTerminated),
                nameof(GatewayErrorKind.ConnectionTerminated)
            },
            { ForwarderError.ResponseBodyCanceled, nameof(GatewayErrorKind.IdleTimeout), nameof(GatewayErrorKind.IdleTimeout) },
            { ForwarderError.ResponseBodyClient, nameof(GatewayErrorKind.ClientAborted), nameof(GatewayErrorKind.ClientAborted) },
            { ForwarderError.ResponseBodyDestination, nameof(GatewayErrorKind.ResponseIncomplete), nameof(GatewayErrorKind.IdleTimeout) },
            { ForwarderError.UpgradeRequestCanceled, nameof(GatewayErrorKind.ClientAborted), nameof(GatewayErrorKind.ClientAborted) },
            { ForwarderError.UpgradeRequestClient, nameof(GatewayErrorKind.ClientAborted), nameof(GatewayErrorKind.ClientAborted) },
            {
                ForwarderError.UpgradeRequestDestination,
                nameof(GatewayErrorKind.ResponseIncomplete),
                nameof(GatewayErrorKind.ResponseIncomplete)
            },
            { ForwarderError.UpgradeResponseCanceled, nameof(GatewayErrorKind.ClientAborted), nameof(GatewayErrorKind.ClientAborted) },
            { ForwarderError.UpgradeResponseClient, nameof(GatewayErrorKind.ClientAborted), nameof(GatewayErrorKind.ClientAborted) },
            {
                ForwarderError.UpgradeResponseDestination,
                nameof(GatewayErrorKind.ResponseIncomplete),
                nameof(GatewayErrorKind.ResponseIncomplete)
            },
            { ForwarderError.UpgradeActivityTimeout, nameof(GatewayErrorKind.IdleTimeout), nameof(GatewayErrorKind.IdleTimeout) },
        };

    [Theory]
    [MemberData(nameof(Table))]
    public void Error_WithWhatItMet_HasItsKind(ForwarderError error, string ended, string canceled)
    {
        using var deadline = Deadline();
        Assert.Equal(ended, YarpFailures.Of(error, new IOException("reset"), deadline, body: null).Kind.ToString());
        Assert.Equal(canceled, YarpFailures.Of(error, new OperationCanceledException(), deadline, body: null).Kind.ToString());
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(GatewayErrorKind.ResponseTimeout, YarpFailures.Of(error, new OperationCanceledException(), deadline, body: null).Kind);
    }

    [Fact]
    public void Table_HasEveryErrorOfAnExchange() =>
        Assert.Equal(
            Enum.GetValues<ForwarderError>()
                .Except([ForwarderError.None, ForwarderError.NoAvailableDestinations, ForwarderError.RequestCreation])
                .Order(),
            Table.Select(r => r.Data.Item1).Order()
        );

    [Fact]
    public void Error_WhoseCauseSaysExactlyWhatFailed_IsThat()
    {
        using var deadline = Deadline();
        Assert.Equal(GatewayErrorKind.BadTarget, Of(ForwarderError.RequestCreation, new UnsendableHostException(new FormatException())));
        Assert.Equal(GatewayErrorKind.Internal, Of(ForwarderError.RequestCreation, new InvalidOperationException()));
        Assert.Equal(
            GatewayErrorKind.ConnectionTimeout,
            Of(ForwarderError.RequestTimedOut, new OperationCanceledException("x", new TimeoutException()))
        );
        Assert.Equal(GatewayErrorKind.UpgradeFailed, Of(ForwarderError.ResponseHeaders, new UpgradeException("x")));
        Assert.Equal(
            GatewayErrorKind.BodyTooLarge,
            Of(ForwarderError.RequestBodyClient, new BadHttpRequestException("x", StatusCodes.Status413PayloadTooLarge))
        );
        _time.Advance(TimeSpan.FromSeconds(10)); // and the deadline changes none of it
        Assert.Equal(
            GatewayErrorKind.DnsError,
            Of(
                ForwarderError.RequestCanceled,
                new OperationCanceledException("x", new UpstreamConnectException(GatewayErrorKind.DnsError, new IOException()))
            )
        );

        GatewayErrorKind Of(ForwarderError error, Exception cause) => YarpFailures.Of(error, cause, deadline, body: null).Kind;
    }

    private Deadline Deadline() =>
        Lintel.Forwarding.Deadline.Begin(TimeSpan.FromSeconds(10), null, hasBody: false, _time, _time.GetTimestamp());
}
