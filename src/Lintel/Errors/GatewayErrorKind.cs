namespace Lintel.Errors;

/// <summary>Every way in which the gateway itself ends a request. One row of <see cref="ErrorTable"/> belongs to each.</summary>
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

    /// <summary>The request's bytes are malformed or could be read in two ways (RFC 9112). The connection closes.</summary>
    BadFraming,

    /// <summary>The request line is longer than the listener takes.</summary>
    TargetTooLong,

    /// <summary>The request's headers or trailers are more or longer than the listener takes.</summary>
    HeadTooLarge,

    /// <summary>The request's body is longer than the route or the listener takes.</summary>
    BodyTooLarge,

    /// <summary>The request's head or body came too slowly.</summary>
    RequestTimeout,

    /// <summary>No route matches host, path, headers, query, cookies and client.</summary>
    RouteNotFound,

    /// <summary>Routes match the path, but none of them takes the method.</summary>
    MethodNotAllowed,

    /// <summary>The request has already passed through this gateway (its name stands in <c>Via</c>).</summary>
    LoopDetected,

    /// <summary>The service has no instance that may be tried.</summary>
    NoInstance,

    /// <summary>The instance refused the TCP connection or reset it while it was being made.</summary>
    ConnectionRefused,

    /// <summary>The connection could not be made within <c>timeouts.connect</c>.</summary>
    ConnectionTimeout,

    /// <summary>There is no way to the instance's address.</summary>
    Unroutable,

    /// <summary>The instance's host name could not be resolved.</summary>
    DnsError,

    /// <summary>The TLS handshake with the instance failed for a reason other than its certificate.</summary>
    TlsError,

    /// <summary>The instance's certificate is not trusted or does not fit its name.</summary>
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

    /// <summary>Neither side moved a byte of a body within <c>timeouts.idle</c>.</summary>
    IdleTimeout,

    /// <summary>The instance did not accept a protocol upgrade properly.</summary>
    UpgradeFailed,

    /// <summary>The client closed the connection before the response was complete. Not sent; logs show 499, like nginx.</summary>
    ClientAborted,

    /// <summary>The gateway is not configured or is shutting down.</summary>
    Unavailable,

    /// <summary>A defect in the gateway.</summary>
    Internal,

    /// <summary>The client's request to switch protocols cannot be passed on.</summary>
    BadUpgrade,

    /// <summary>A gRPC call was not over within its own <c>grpc-timeout</c>.</summary>
    DeadlineExceeded,

    /// <summary>A service that a composed answer needs reported an error.</summary>
    CallFailed,

    /// <summary>A service that a composed answer needs said that it cannot serve now (503).</summary>
    CallUnavailable,

    /// <summary>A service that a composed answer needs said that it waited too long (504).</summary>
    CallTimeout,

    /// <summary>A service's answer is not in the form that a composition can use: malformed JSON, or another media type.</summary>
    MalformedAnswer,

    /// <summary>A service's answer is larger than a composition takes.</summary>
    AnswerTooLarge,

    /// <summary>A composed answer would take more requests to services than it may.</summary>
    TooManyItems,

    /// <summary>What a call needs of another one's answer is not there, or does not fit its place.</summary>
    MissingInput,

    /// <summary>An expression cannot be evaluated over the services' answers.</summary>
    ExpressionFailed,

    /// <summary>
    /// The memory for everything that buffers (<c>limits.memory</c>) is taken. The same request may succeed a moment later.
    /// </summary>
    Overloaded,

    /// <summary>
    /// The application that the gateway runs in gave up the request while its client was still there: a time limit of the application's
    /// own, for example.
    /// </summary>
    CanceledByHost,

    /// <summary>The gateway itself has no descriptor, port or memory of the system left for a connection to the service.</summary>
    OutOfSockets,

    /// <summary>
    /// The client did not take its answer in time: not a composed one within <c>compose.limits.send</c>, not at
    /// <c>limits.minResponseRate</c>, or not before there was no memory left for what waits for it. It is cut off.
    /// </summary>
    SlowReader,

    /// <summary>The method is longer than any that is known.</summary>
    UnknownMethod,

    /// <summary>The request line names another version than HTTP/1.1 or HTTP/1.0.</summary>
    VersionNotSupported,

    /// <summary>The request's target has another scheme than its connection, and no trusted proxy vouches for it.</summary>
    Misdirected,

    /// <summary>
    /// What a call of a composition did, or may have done, could not be undone. For the log alone: the answer's failure is another one.
    /// </summary>
    NotUndone,

    /// <summary>The client's address is not admitted to the route (<c>access</c>).</summary>
    AccessDenied,

    /// <summary>
    /// A browser asked whether a page of another origin may send a request, and the route's <c>cors</c> says that it may not.
    /// </summary>
    CrossOriginDenied,

    /// <summary>
    /// The request was not over when the time for that ended (<c>drainTimeout</c>): the gateway stopped, or a reload closed or changed its
    /// listener. Its connection is cut off.
    /// </summary>
    Stopped,
}
