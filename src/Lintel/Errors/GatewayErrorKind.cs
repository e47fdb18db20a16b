namespace Lintel.Errors;

/// <summary>Every way in which the gateway itself ends a request. Each kind has one row in <see cref="ErrorTable"/>.</summary>
internal enum GatewayErrorKind
{
    /// <summary>The request target is malformed or ambiguous: a bad escape, a control character, a dot segment above the root.</summary>
    BadTarget,

    /// <summary>
    /// A placeholder in the route's path would have become an empty, <c>.</c> or <c>..</c> segment, or a header value with a line break.
    /// </summary>
    BadPlaceholder,

    /// <summary>The client's request body could not be read: broken framing, too large, or too slow.</summary>
    BadRequestBody,

    /// <summary>The request is not as the route's <c>validate</c> policy requires: its content, a parameter or a header.</summary>
    InvalidRequest,

    /// <summary>The request's content has a media type or coding that the route's <c>validate</c> policy does not accept.</summary>
    UnsupportedMediaType,

    /// <summary>The request's bytes are malformed or could be read in two ways (RFC 9112). The connection closes.</summary>
    BadFraming,

    /// <summary>The request line exceeds the listener's limit.</summary>
    TargetTooLong,

    /// <summary>The request's headers or trailers exceed the listener's limits.</summary>
    HeadTooLarge,

    /// <summary>The request's body exceeds the limit of the route or the listener.</summary>
    BodyTooLarge,

    /// <summary>The request's head or body arrived too slowly.</summary>
    RequestTimeout,

    /// <summary>No route matches host, path, headers, query, cookies and client.</summary>
    RouteNotFound,

    /// <summary>Routes match the path, but none of them allows the method.</summary>
    MethodNotAllowed,

    /// <summary>The request has already passed through this gateway (its name is in <c>Via</c>).</summary>
    LoopDetected,

    /// <summary>The service has no instance that may be tried.</summary>
    NoInstance,

    /// <summary>The instance refused the TCP connection or reset it while it was being established.</summary>
    ConnectionRefused,

    /// <summary>The connection could not be established within <c>timeouts.connect</c>.</summary>
    ConnectionTimeout,

    /// <summary>There is no route to the instance's address.</summary>
    Unroutable,

    /// <summary>The instance's host name could not be resolved.</summary>
    DnsError,

    /// <summary>The TLS handshake with the instance failed for a reason other than its certificate.</summary>
    TlsError,

    /// <summary>The instance's certificate is not trusted or does not match its name.</summary>
    TlsCertificate,

    /// <summary>The instance closed or reset the connection before it sent a complete response head.</summary>
    ConnectionTerminated,

    /// <summary>The instance sent something that is not HTTP.</summary>
    ProtocolError,

    /// <summary>The instance's response head exceeds the limit.</summary>
    ResponseHeadTooLarge,

    /// <summary>No response head within <c>timeouts.request</c>.</summary>
    ResponseTimeout,

    /// <summary>The response body ended early; what was sent to the client is cut off, never completed.</summary>
    ResponseIncomplete,

    /// <summary>No byte of a body was transferred in either direction within <c>timeouts.idle</c>.</summary>
    IdleTimeout,

    /// <summary>The instance did not accept a protocol upgrade correctly.</summary>
    UpgradeFailed,

    /// <summary>The client closed the connection before the response was complete. Not sent; logs show 499, like nginx.</summary>
    ClientAborted,

    /// <summary>The gateway is not configured or is shutting down.</summary>
    Unavailable,

    /// <summary>A defect in the gateway.</summary>
    Internal,

    /// <summary>The client's upgrade request cannot be forwarded.</summary>
    BadUpgrade,

    /// <summary>A gRPC call did not complete within its own <c>grpc-timeout</c>.</summary>
    DeadlineExceeded,

    /// <summary>A service that a composed response needs returned an error.</summary>
    CallFailed,

    /// <summary>A service that a composed response needs returned that it is unavailable (503).</summary>
    CallUnavailable,

    /// <summary>A service that a composed response needs returned a gateway timeout (504).</summary>
    CallTimeout,

    /// <summary>A service's response is not in a form that a composition can use: malformed JSON, or another media type.</summary>
    MalformedAnswer,

    /// <summary>A service's response exceeds the limit of a composition.</summary>
    AnswerTooLarge,

    /// <summary>A composed response would exceed the limit of requests to services.</summary>
    TooManyItems,

    /// <summary>A value that a call needs from another call's response is missing, or not valid where it is used.</summary>
    MissingInput,

    /// <summary>An expression cannot be evaluated over the services' responses.</summary>
    ExpressionFailed,

    /// <summary>
    /// The memory budget for buffers (<c>limits.memory</c>) is exhausted, or the request was shed because the gateway itself is short of
    /// memory or time (<c>overload</c>). The same request may succeed a moment later.
    /// </summary>
    Overloaded,

    /// <summary>
    /// The application that hosts the gateway canceled the request while its client was still connected: by a time limit of the
    /// application's own, for example.
    /// </summary>
    CanceledByHost,

    /// <summary>The gateway itself has no descriptor, port or system memory left for a connection to the service.</summary>
    OutOfSockets,

    /// <summary>
    /// The client did not read its response in time: a composed one within <c>compose.limits.send</c>, at <c>limits.minResponseRate</c>, or
    /// before there was no memory left for the buffered response. It is cut off.
    /// </summary>
    SlowReader,

    /// <summary>The method is longer than any known method.</summary>
    UnknownMethod,

    /// <summary>The request line has another version than HTTP/1.1 or HTTP/1.0.</summary>
    VersionNotSupported,

    /// <summary>The scheme of the request's target differs from that of its connection, and no trusted proxy vouches for it.</summary>
    Misdirected,

    /// <summary>
    /// What a call of a composition did, or may have done, could not be undone. For the log only: the response reports another error.
    /// </summary>
    NotUndone,

    /// <summary>The client's address is not allowed on the route (<c>access</c>).</summary>
    AccessDenied,

    /// <summary>The request carries no credential that the route's policies accept.</summary>
    Unauthenticated,

    /// <summary>A browser that navigates without a session is sent to the page where its user logs in.</summary>
    LoginRequired,

    /// <summary>The caller is known and may not do this (<c>authorize</c>), or the request lacks what protects from forgery.</summary>
    Forbidden,

    /// <summary>Whether the credential is valid could not be found out: the identity provider does not respond, for example.</summary>
    AuthenticationUnavailable,

    /// <summary>Whether the caller may do this could not be found out: the decision point does not respond, for example.</summary>
    AuthorizationUnavailable,

    /// <summary>A browser sent a preflight for a page of another origin, and the route's <c>cors</c> does not allow the request.</summary>
    CrossOriginDenied,

    /// <summary>
    /// The request did not complete within <c>drainTimeout</c> after the gateway stopped, or after a reload closed or changed its listener.
    /// Its connection is cut off.
    /// </summary>
    Stopped,

    /// <summary>The service's circuit breaker is open: too many attempts failed (<c>breaker</c>).</summary>
    CircuitOpen,

    /// <summary>The service has as many requests in flight as it may have (<c>limits</c>), and no place became free in time.</summary>
    ServiceBusy,

    /// <summary>
    /// The response of an attempt was given up for another attempt (<c>retry</c>). For the log only: it is always followed by another
    /// attempt.
    /// </summary>
    ResponseRetried,

    /// <summary>The attempt is no longer needed: the response of another one that was sent beside it is used. No client sees it.</summary>
    HedgeLost,

    /// <summary>A policy of the application that embeds the gateway refuses the request, with a status of its choice.</summary>
    RefusedByPolicy,

    /// <summary>A policy of the kind <c>fault</c> refuses the request for a drill, with the status that it is configured to have.</summary>
    FaultInjected,
}
