using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Services.Attempts;

namespace Lintel.Forwarding;

/// <summary>An attempt to be carried.</summary>
/// <param name="Service">Whose connections carry it.</param>
/// <param name="Instance">Where it goes.</param>
/// <param name="Request">What is sent.</param>
/// <param name="Deadline">When the response's head is due; disarmed when it comes.</param>
/// <param name="IsRepeatable">See <see cref="AttemptSeries.IsRepeatable"/>.</param>
/// <param name="NeedsFreshConnection">See <see cref="AttemptSeries.NeedsFreshConnection"/>.</param>
internal readonly record struct ForwardAttempt(
    Service Service,
    Instance Instance,
    UpstreamRequest Request,
    Deadline Deadline,
    bool IsRepeatable,
    bool NeedsFreshConnection
);

/// <summary>Carries one attempt: a prepared request to an instance, and its answer to the client.</summary>
internal interface IForwarder
{
    /// <summary>Sends the request and passes the answer on.</summary>
    /// <param name="exchange">The request at hand.</param>
    /// <param name="attempt">What is sent where.</param>
    /// <returns><see langword="null"/> for an answer of whatever status that was passed on whole.</returns>
    public ValueTask<GatewayError?> SendAsync(Exchange exchange, in ForwardAttempt attempt);
}

/// <summary>The forwarders: HTTP/1.1 on event loops where there are any, and YARP's for everything else.</summary>
/// <param name="Http1">HTTP/1.1 on the loops.</param>
/// <param name="Yarp">HTTP/2, gRPC, and HTTP/1.1 where there are no loops.</param>
internal sealed record Forwarders(Http1Forwarder Http1, YarpForwarder Yarp)
{
    public IForwarder For(Service service, UpstreamRequest request, bool isExtendedConnect) =>
        service.HasLoops && request.Grpc is null && !isExtendedConnect ? Http1 : Yarp;
}
