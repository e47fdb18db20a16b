using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Tests.Errors;
using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Pipeline;

public sealed class GrpcTests
{
    /// <summary>
    /// How gRPC clients map HTTP statuses (gRPC's http-grpc-status-mapping.md), and timeouts and sizes, which that table does not
    /// cover.
    /// </summary>
    private static readonly Dictionary<int, int> StatusOfHttp = new()
    {
        [400] = 13,
        [401] = 16,
        [403] = 7,
        [404] = 12,
        [405] = 12,
        [408] = 4,
        [413] = 8,
        [414] = 13,
        [421] = 13,
        [431] = 13,
        [499] = 1,
        [500] = 13,
        [501] = 12,
        [502] = 14,
        [503] = 14,
        [504] = 4,
        [505] = 13,
    };

    [Theory]
    [MemberData(nameof(ErrorTableTests.Kinds), MemberType = typeof(ErrorTableTests))]
    public void GrpcStatus_OfAKind_FollowsItsHttpStatus(string name)
    {
        var kind = Enum.Parse<GatewayErrorKind>(name);
        var rule = ErrorTable.Get(kind);
        Assert.Equal(
            kind is GatewayErrorKind.BadPlaceholder or GatewayErrorKind.InvalidRequest or GatewayErrorKind.UnsupportedMediaType ? 3
                : kind == GatewayErrorKind.LoginRequired ? 16
                : StatusOfHttp[rule.Status],
            rule.GrpcStatus
        );
    }

    [Theory]
    [InlineData("application/grpc", "Plain", "")]
    [InlineData("application/grpc+proto", "Plain", "+proto")]
    [InlineData("Application/GRPC+json; charset=utf-8", "Plain", "+json")]
    [InlineData("application/grpc-web", "Web", "")]
    [InlineData("application/grpc-web+proto", "Web", "+proto")]
    [InlineData("application/grpc-web-text ;q=1", "WebText", "")]
    [InlineData("application/grpc-web-text+proto", "WebText", "+proto")]
    [InlineData("application/grpcish", "None", "")]
    [InlineData("application/grpc-other", "None", "")]
    [InlineData("application/json", "None", "")]
    [InlineData(null, "None", "")]
    public void MediaType_IsToldApart(string? contentType, string dialect, string format)
    {
        var media = GrpcMediaType.Of(contentType);
        Assert.Equal(dialect, media.Dialect.ToString());
        Assert.Equal(format, media.Format ?? "");
    }

    [Theory]
    [InlineData("plain text, with ~ and space", "plain text, with ~ and space")]
    [InlineData("100 %", "100 %25")]
    [InlineData("\u00fc\r\n", "%C3%BC%0D%0A")]
    public void Message_IsPercentEncoded(string text, string encoded) => Assert.Equal(encoded, GrpcAnswer.Encode(text));

    [Fact]
    public void Problem_OfAGrpcRequest_IsTrailersOnly()
    {
        var context = new DefaultHttpContext();
        context.Request.Method = "POST";
        context.Request.ContentType = "application/grpc-web-text+proto";
        ProblemWriter.Fill(context.AsClient().Response, new GatewayError(GatewayErrorKind.BadPlaceholder, "not 100 %"), "lintel", "trace");
        Assert.Equal(200, context.Response.StatusCode);
        Assert.Equal("application/grpc-web-text+proto", context.Response.ContentType);
        Assert.Equal("3", context.Response.Headers["grpc-status"]);
        Assert.EndsWith(": not 100 %25", context.Response.Headers["grpc-message"].ToString(), StringComparison.Ordinal);
        Assert.Equal("lintel; error=http_request_error", context.Response.Headers["Proxy-Status"]);
    }
}
