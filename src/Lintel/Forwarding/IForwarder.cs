using System.Diagnostics;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Services.Attempts;

namespace Lintel.Forwarding;

/// <summary>An attempt to forward.</summary>
/// <param name="Service">The service, which owns the connections.</param>
/// <param name="Instance">The destination.</param>
/// <param name="Request">The request to send.</param>
/// <param name="Deadline">The deadline of the response head; disarmed when it arrives.</param>
internal readonly record struct ForwardAttempt(Service Service, Instance Instance, UpstreamRequest Request, Deadline Deadline)
{
    /// <inheritdoc cref="AttemptSeries.Began"/>
    public long Began { get; init; }

    /// <inheritdoc cref="AttemptSeries.Span"/>
    public Activity? Span { get; init; }

    /// <inheritdoc cref="AttemptSeries.IsRepeatable"/>
    public bool IsRepeatable { get; init; }

    /// <inheritdoc cref="AttemptSeries.NeedsFreshConnection"/>
    public bool NeedsFreshConnection { get; init; }

    /// <summary>Its part in a race; <see langword="null"/> if it is the only attempt.</summary>
    public HedgedAttempt? Race { get; init; }

    /// <summary>Takes a response for another attempt in place of passing it on; <see langword="null"/> if none may follow.</summary>
    public RetryOffer? Offer { get; init; }
}

/// <summary>Forwards one attempt: a prepared request to an instance, and its response to the client.</summary>
internal interface IForwarder
{
    /// <summary>Sends the request and passes the response on.</summary>
    /// <param name="exchange">The client's exchange.</param>
    /// <param name="attempt">The attempt to forward.</param>
    /// <returns><see langword="null"/> if a response, of any status, was passed on completely.</returns>
    public ValueTask<GatewayError?> SendAsync(Exchange exchange, in ForwardAttempt attempt);
}

/// <summary>The forwarders: HTTP/1.1 on event loops where available, and YARP's for everything else.</summary>
/// <param name="Http1">HTTP/1.1 on the loops.</param>
/// <param name="Yarp">HTTP/2, gRPC, and HTTP/1.1 without loops.</param>
internal sealed record Forwarders(Http1Forwarder Http1, YarpForwarder Yarp)
{
    public IForwarder For(Service service, UpstreamRequest request, bool isExtendedConnect) =>
        service.HasLoops && request.Grpc is null && !isExtendedConnect ? Http1 : Yarp;
}
