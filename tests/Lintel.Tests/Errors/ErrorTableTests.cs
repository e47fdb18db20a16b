using Lintel.Errors;

namespace Lintel.Tests.Errors;

public sealed class ErrorTableTests
{
    public static TheoryData<string> Kinds => [.. Enum.GetNames<GatewayErrorKind>()];

    /// <summary>RFC 9209 section 2.3's recommended status of each error type that is used.</summary>
    private static readonly Dictionary<string, int> StatusOfProxyError = new()
    {
        ["destination_unavailable"] = 503,
        ["destination_ip_unroutable"] = 502,
        ["dns_error"] = 502,
        ["connection_limit_reached"] = 503,
        ["connection_refused"] = 502,
        ["connection_terminated"] = 502,
        ["connection_timeout"] = 504,
        ["connection_read_timeout"] = 504,
        ["tls_protocol_error"] = 502,
        ["tls_certificate_error"] = 502,
        ["http_request_error"] = 400,
        ["http_request_denied"] = 403,
        ["http_response_incomplete"] = 502,
        ["http_response_header_section_size"] = 502,
        ["http_response_body_size"] = 502,
        ["http_response_timeout"] = 504,
        ["http_upgrade_failed"] = 502,
        ["http_protocol_error"] = 502,
        ["proxy_internal_error"] = 500,
        ["proxy_internal_response"] = 503, // "the most appropriate": the configuration has the last word
        ["proxy_loop_detected"] = 502,
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Kind_HasARuleOfItsOwn(string name)
    {
        var kind = Enum.Parse<GatewayErrorKind>(name);
        var rule = ErrorTable.Get(kind);
        Assert.NotNull(rule);
        Assert.Equal(kind, rule.Kind);
        Assert.Same(rule, new GatewayError(kind).Rule);
        Assert.Matches("^[a-z]+(-[a-z]+)*$", rule.Slug);
        Assert.Equal("urn:problem-type:lintel:" + rule.Slug, rule.Type);
        Assert.False(rule.Title.EndsWith('.'));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Status_OfAProxyError_IsTheRecommendedOne(string name)
    {
        var kind = Enum.Parse<GatewayErrorKind>(name);
        var rule = ErrorTable.Get(kind);
        if (rule.ProxyStatus is "http_request_error")
            Assert.InRange(rule.Status, 400, 499); // section 2.3.18: "4xx as appropriate"
        else if (
            kind
            is GatewayErrorKind.Overloaded
                or GatewayErrorKind.OutOfSockets
                or GatewayErrorKind.Stopped
                or GatewayErrorKind.AuthenticationUnavailable
                or GatewayErrorKind.AuthorizationUnavailable
        )
            // recommended is 500; it is not a defect, and passes
            Assert.Equal(("proxy_internal_error", 503), (rule.ProxyStatus, rule.Status));
        else if (rule.ProxyStatus is { } type)
            Assert.Equal(StatusOfProxyError[type], rule.Status);
        // the composition's members describe the failure, and a retried response is never forwarded
        else if (
            kind
            is not (
                GatewayErrorKind.CallFailed
                or GatewayErrorKind.CallUnavailable
                or GatewayErrorKind.CallTimeout
                or GatewayErrorKind.ResponseRetried
            )
        )
            Assert.Equal(ErrorSource.Client, rule.Source);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Source_OfAnError_FitsItsStatusAndRetry(string name)
    {
        var kind = Enum.Parse<GatewayErrorKind>(name);
        var rule = ErrorTable.Get(kind);
        // RFC 9110 has a 5xx for what the client should not have sent, and a browser's user is sent to a page
        if (kind is not (GatewayErrorKind.UnknownMethod or GatewayErrorKind.VersionNotSupported or GatewayErrorKind.LoginRequired))
            Assert.Equal(rule.Source == ErrorSource.Client, rule.Status is >= 400 and < 500);
        if (rule.Source != ErrorSource.Upstream)
            Assert.Equal(RetryScope.None, rule.Retry);
    }

    [Fact]
    public void Slugs_OfAllRules_AreUnique() => Assert.Equal(ErrorTable.All.Count, ErrorTable.All.Select(r => r.Slug).Distinct().Count());

    [Theory]
    [InlineData(nameof(GatewayErrorKind.RouteNotFound), 404)]
    [InlineData(nameof(GatewayErrorKind.MethodNotAllowed), 405)]
    [InlineData(nameof(GatewayErrorKind.ClientAborted), 499)]
    public void Status_OfAClientsError_IsItsOwn(string kind, int status) =>
        Assert.Equal(status, ErrorTable.Get(Enum.Parse<GatewayErrorKind>(kind)).Status);

    [Theory]
    [InlineData(nameof(GatewayErrorKind.ConnectionRefused), nameof(RetryScope.NothingSent))]
    [InlineData(nameof(GatewayErrorKind.ConnectionTimeout), nameof(RetryScope.NothingSent))]
    [InlineData(nameof(GatewayErrorKind.ConnectionTerminated), nameof(RetryScope.Idempotent))]
    [InlineData(nameof(GatewayErrorKind.ResponseTimeout), nameof(RetryScope.None))]
    [InlineData(nameof(GatewayErrorKind.ResponseIncomplete), nameof(RetryScope.None))]
    [InlineData(nameof(GatewayErrorKind.ProtocolError), nameof(RetryScope.None))]
    public void Retry_OfAFailure_DependsOnWhatMayHaveBeenSent(string kind, string retry) =>
        Assert.Equal(retry, ErrorTable.Get(Enum.Parse<GatewayErrorKind>(kind)).Retry.ToString());
}
