using Microsoft.Extensions.Logging;

namespace Lintel.Errors;

/// <summary>Maps each kind of error to its meaning for client, log, metrics and retries.</summary>
/// <remarks>
/// Statuses of upstream failures are those recommended by RFC 9209 section 2.3. The gRPC column follows the mapping that gRPC clients apply
/// to these statuses (gRPC's http-grpc-status-mapping.md), except for what that table cannot express: a deadline that has passed (4), an
/// invalid value (3), a canceled call (1).
/// </remarks>
internal static class ErrorTable
{
    private static readonly ErrorRule[] Rules = Build();

    /// <summary>All rules, in the order of <see cref="GatewayErrorKind"/>.</summary>
    public static IReadOnlyList<ErrorRule> All => Rules;

    /// <summary>The rule of a kind.</summary>
    /// <param name="kind">A defined kind.</param>
    public static ErrorRule Get(GatewayErrorKind kind) => Rules[(int)kind];

    private static ErrorRule[] Build()
    {
        var rules = new ErrorRule[Enum.GetValues<GatewayErrorKind>().Length];

        Client(GatewayErrorKind.BadTarget, 400, 13, "bad-target", "The request target is malformed or ambiguous", "http_request_error");
        Client(
            GatewayErrorKind.BadPlaceholder,
            400,
            3,
            "bad-placeholder",
            "A value of the request is not valid where it is used",
            "http_request_error"
        );
        Client(GatewayErrorKind.BadRequestBody, 400, 13, "bad-request-body", "The request body could not be read", "http_request_error");
        Client(GatewayErrorKind.InvalidRequest, 400, 3, "invalid-request", "The request is not valid", "http_request_error");
        Client(
            GatewayErrorKind.UnsupportedMediaType,
            415,
            3,
            "unsupported-media-type",
            "The media type of the request is not supported",
            "http_request_error"
        );
        Client(GatewayErrorKind.BadFraming, 400, 13, "bad-framing", "The request is malformed", "http_request_error");
        Client(GatewayErrorKind.TargetTooLong, 414, 13, "target-too-long", "The request target is too long", "http_request_error");
        Client(GatewayErrorKind.UnknownMethod, 501, 12, "unknown-method", "The method is not supported", null);
        Client(GatewayErrorKind.VersionNotSupported, 505, 13, "version-not-supported", "The HTTP version is not supported", null);
        Client(GatewayErrorKind.Misdirected, 421, 13, "misdirected", "The request was misdirected", null);
        Client(GatewayErrorKind.HeadTooLarge, 431, 13, "head-too-large", "The request headers are too large", "http_request_error");
        Client(GatewayErrorKind.BodyTooLarge, 413, 8, "body-too-large", "The request body is too large", "http_request_error");
        Client(GatewayErrorKind.RequestTimeout, 408, 4, "request-timeout", "The request was not received in time", "http_request_error");
        Client(GatewayErrorKind.BadUpgrade, 400, 13, "bad-upgrade", "The upgrade request is malformed", "http_request_error");
        Client(GatewayErrorKind.RouteNotFound, 404, 12, "route-not-found", "No route matches this request", null);
        Client(GatewayErrorKind.MethodNotAllowed, 405, 12, "method-not-allowed", "The method is not allowed", null);
        Client(GatewayErrorKind.SlowReader, 408, 4, "slow-reader", "The client did not read the response in time", null);
        Client(GatewayErrorKind.ClientAborted, 499, 1, "client-aborted", "The client closed the connection", null);

        Client(GatewayErrorKind.AccessDenied, 403, 7, "access-denied", "Access from the client's address is denied", "http_request_denied");
        Client(GatewayErrorKind.Unauthenticated, 401, 16, "unauthenticated", "Authentication is required", null);
        Client(GatewayErrorKind.LoginRequired, 302, 16, "login-required", "The user must log in", null);
        Client(GatewayErrorKind.Forbidden, 403, 7, "forbidden", "The caller is not allowed to do this", "http_request_denied");
        Client(
            GatewayErrorKind.CrossOriginDenied,
            403,
            7,
            "cross-origin-denied",
            "The origin is not allowed to send this request",
            "http_request_denied"
        );

        Client(GatewayErrorKind.RefusedByPolicy, 403, 7, "refused-by-policy", "The request was refused by a policy", "http_request_denied");

        Gateway(
            GatewayErrorKind.LoopDetected,
            502,
            14,
            "loop-detected",
            "The request has already passed through this gateway",
            "proxy_loop_detected",
            LogLevel.Error
        );
        Gateway(
            GatewayErrorKind.NoInstance,
            503,
            14,
            "no-instance",
            "No instance of the service is available",
            "destination_unavailable",
            LogLevel.Warning
        );
        Gateway(
            GatewayErrorKind.Unavailable,
            503,
            14,
            "unavailable",
            "The gateway is not ready",
            "destination_unavailable",
            LogLevel.Warning
        );
        Gateway(
            GatewayErrorKind.Stopped,
            503,
            14,
            "stopped",
            "The gateway stopped before the request was complete",
            "proxy_internal_error",
            LogLevel.Warning
        );
        Gateway(
            GatewayErrorKind.Overloaded,
            503,
            14,
            "overloaded",
            "The gateway lacks the resources for this request",
            "proxy_internal_error",
            LogLevel.Warning,
            retryAfter: 1
        );
        Gateway(
            GatewayErrorKind.CircuitOpen,
            503,
            14,
            "circuit-open",
            "The service fails too often and is not called for the moment",
            "destination_unavailable",
            LogLevel.Warning,
            retryAfter: 1
        );
        Gateway(
            GatewayErrorKind.ServiceBusy,
            503,
            14,
            "service-busy",
            "The service has too many requests in flight",
            "connection_limit_reached",
            LogLevel.Warning,
            retryAfter: 1
        );
        Gateway(
            GatewayErrorKind.AuthenticationUnavailable,
            503,
            14,
            "authentication-unavailable",
            "The caller cannot be authenticated at present",
            "proxy_internal_error",
            LogLevel.Error,
            retryAfter: 5
        );
        Gateway(
            GatewayErrorKind.AuthorizationUnavailable,
            503,
            14,
            "authorization-unavailable",
            "Whether the caller is allowed to do this cannot be decided at present",
            "proxy_internal_error",
            LogLevel.Error,
            retryAfter: 5
        );
        Gateway(GatewayErrorKind.HedgeLost, 503, 14, "hedge-lost", "Another attempt was faster", "destination_unavailable", LogLevel.Debug);
        Gateway(
            GatewayErrorKind.CanceledByHost,
            504,
            4,
            "canceled-by-host",
            "The host application canceled the request before a response was sent",
            "http_response_timeout",
            LogLevel.Warning
        );
        Gateway(
            GatewayErrorKind.OutOfSockets,
            503,
            14,
            "out-of-sockets",
            "The gateway is out of sockets",
            "proxy_internal_error",
            LogLevel.Error,
            retryAfter: 1
        );
        // not a failure: somebody wants it
        Gateway(
            GatewayErrorKind.FaultInjected,
            503,
            14,
            "fault-injected",
            "The request was refused for a drill",
            "proxy_internal_response",
            LogLevel.Information
        );
        Gateway(GatewayErrorKind.Internal, 500, 13, "internal", "Internal error of the gateway", "proxy_internal_error", LogLevel.Error);

        Upstream(
            GatewayErrorKind.ConnectionRefused,
            502,
            14,
            "connection-refused",
            "The service refused the connection",
            "connection_refused",
            RetryScope.NothingSent
        );
        Upstream(
            GatewayErrorKind.ConnectionTimeout,
            504,
            4,
            "connection-timeout",
            "The connection to the service timed out",
            "connection_timeout",
            RetryScope.NothingSent
        );
        Upstream(
            GatewayErrorKind.Unroutable,
            502,
            14,
            "unroutable",
            "The service cannot be reached",
            "destination_ip_unroutable",
            RetryScope.NothingSent
        );
        Upstream(
            GatewayErrorKind.DnsError,
            502,
            14,
            "dns-error",
            "The service's name could not be resolved",
            "dns_error",
            RetryScope.NothingSent
        );
        Upstream(
            GatewayErrorKind.TlsError,
            502,
            14,
            "tls-error",
            "The TLS connection to the service failed",
            "tls_protocol_error",
            RetryScope.NothingSent
        );
        Upstream(
            GatewayErrorKind.TlsCertificate,
            502,
            14,
            "tls-certificate",
            "The service's certificate is not trusted",
            "tls_certificate_error",
            RetryScope.NothingSent
        );
        Upstream(
            GatewayErrorKind.ConnectionTerminated,
            502,
            14,
            "connection-terminated",
            "The service closed the connection",
            "connection_terminated",
            RetryScope.Idempotent
        );
        Upstream(
            GatewayErrorKind.ProtocolError,
            502,
            14,
            "protocol-error",
            "The service's response is not valid HTTP",
            "http_protocol_error",
            RetryScope.None
        );
        Upstream(
            GatewayErrorKind.ResponseHeadTooLarge,
            502,
            14,
            "response-head-too-large",
            "The service's response head is too large",
            "http_response_header_section_size",
            RetryScope.None
        );
        Upstream(
            GatewayErrorKind.ResponseTimeout,
            504,
            4,
            "response-timeout",
            "The service did not respond in time",
            "http_response_timeout",
            RetryScope.None
        );
        Upstream(GatewayErrorKind.ResponseRetried, 503, 14, "response-retried", "The service's response is retried", null, RetryScope.None);
        Upstream(
            GatewayErrorKind.DeadlineExceeded,
            504,
            4,
            "deadline-exceeded",
            "The call exceeded the deadline that the client set",
            "http_response_timeout",
            RetryScope.None
        );
        Upstream(
            GatewayErrorKind.ResponseIncomplete,
            502,
            14,
            "response-incomplete",
            "The service's response is incomplete",
            "http_response_incomplete",
            RetryScope.None
        );
        Upstream(
            GatewayErrorKind.IdleTimeout,
            504,
            4,
            "idle-timeout",
            "The exchange was idle for too long",
            "connection_read_timeout",
            RetryScope.None
        );
        Upstream(
            GatewayErrorKind.UpgradeFailed,
            502,
            14,
            "upgrade-failed",
            "The service did not switch protocols",
            "http_upgrade_failed",
            RetryScope.None
        );

        // Compositions. RFC 9209 has no type for a response that is valid HTTP with invalid content; for an error status `received-status`
        // is sufficient.
        Upstream(
            GatewayErrorKind.CallFailed,
            502,
            14,
            "call-failed",
            "A service required for the response reported an error",
            null,
            RetryScope.None
        );
        Upstream(
            GatewayErrorKind.CallUnavailable,
            503,
            14,
            "call-unavailable",
            "A service required for the response is not available",
            null,
            RetryScope.None
        );
        Upstream(
            GatewayErrorKind.CallTimeout,
            504,
            4,
            "call-timeout",
            "A service required for the response timed out",
            null,
            RetryScope.None
        );
        Upstream(
            GatewayErrorKind.MalformedAnswer,
            502,
            14,
            "malformed-answer",
            "The service's response cannot be parsed",
            "http_protocol_error",
            RetryScope.None
        );
        Upstream(
            GatewayErrorKind.AnswerTooLarge,
            502,
            14,
            "answer-too-large",
            "The service's response is too large",
            "http_response_body_size",
            RetryScope.None
        );
        Upstream(
            GatewayErrorKind.TooManyItems,
            502,
            14,
            "too-many-items",
            "The response would require too many requests to services",
            "http_response_body_size",
            RetryScope.None
        );
        Upstream(
            GatewayErrorKind.MissingInput,
            502,
            14,
            "missing-input",
            "A service's response lacks a value that another call needs",
            "http_protocol_error",
            RetryScope.None
        );
        Upstream(
            GatewayErrorKind.NotUndone,
            502,
            14,
            "not-undone",
            "A call could not be compensated",
            "http_protocol_error",
            RetryScope.None,
            LogLevel.Error
        );
        Upstream(
            GatewayErrorKind.ExpressionFailed,
            502,
            14,
            "expression-failed",
            "The expression cannot be evaluated on the services' responses",
            "http_protocol_error",
            RetryScope.None
        );
        return rules;

        void Add(ErrorRule rule) => rules[(int)rule.Kind] = rule;

        // The client's own errors are not written to the error log: the access log has them.
        void Client(GatewayErrorKind kind, int status, int grpc, string slug, string title, string? proxyStatus) =>
            Add(new(kind, status, slug, title, proxyStatus, ErrorSource.Client, RetryScope.None, LogLevel.Debug) { GrpcStatus = grpc });

        void Gateway(
            GatewayErrorKind kind,
            int status,
            int grpc,
            string slug,
            string title,
            string proxyStatus,
            LogLevel level,
            int? retryAfter = null
        ) =>
            Add(
                new(kind, status, slug, title, proxyStatus, ErrorSource.Gateway, RetryScope.None, level)
                {
                    GrpcStatus = grpc,
                    RetryAfter = retryAfter,
                }
            );

        void Upstream(
            GatewayErrorKind kind,
            int status,
            int grpc,
            string slug,
            string title,
            string? proxyStatus,
            RetryScope retry,
            LogLevel level = LogLevel.Warning
        ) => Add(new(kind, status, slug, title, proxyStatus, ErrorSource.Upstream, retry, level) { GrpcStatus = grpc });
    }
}
