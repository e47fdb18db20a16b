using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Policies.SecurityHeaders;

public sealed class SecurityHeadersPolicyTests : IDisposable
{
    private readonly Spine _spine = new(
        """
        policies:
          hardened: { securityHeaders: { contentSecurityPolicy: "default-src 'self'", hsts: 1y } }
          enforced: { securityHeaders: { override: true, noSniff: false, frames: sameOrigin, referrer: strict-origin, permissionsPolicy: "camera=()", hsts: { maxAge: 1y, includeSubDomains: true, preload: true } } }
        routes:
          page: { match: "GET /page", respond: { body: page }, policies: [hardened] }
          own: { match: "GET /own/{how}", respond: { body: own, headers: { X-Frame-Options: ALLOW, Content-Security-Policy: "frame-ancestors *" } }, policies: [hardened] }
          forced: { match: "GET /forced", respond: { body: forced, headers: { X-Frame-Options: ALLOW } }, policies: [enforced] }
          moved: { match: "GET /moved", redirect: /page, policies: [hardened] }
        """
    );

    public void Dispose() => _spine.Dispose();

    [Theory]
    [InlineData("/page", 200)]
    [InlineData("/moved", 307)]
    public async Task Answer_OfAnyTarget_HasThem(string path, int status)
    {
        var answer = await _spine.SendAsync("GET", path);
        Assert.Equal(
            (status, "nosniff", "DENY", "no-referrer", "default-src 'self'"),
            (
                answer.StatusCode,
                Of(answer, "X-Content-Type-Options"),
                Of(answer, "X-Frame-Options"),
                Of(answer, "Referrer-Policy"),
                Of(answer, "Content-Security-Policy")
            )
        );
        Assert.Null(Of(answer, "Strict-Transport-Security")); // RFC 6797 section 7.2: not without TLS
    }

    [Fact]
    public async Task Problem_OfItsRoute_HasThem()
    {
        using var spine = new Spine(
            """
            policies: { hardened: { securityHeaders: {} }, nobody: { access: { deny: "0.0.0.0/0" } } }
            routes: { r: { match: "/x", respond: { body: x }, policies: [hardened, nobody] } }
            """
        );
        var answer = await spine.SendAsync("GET", "/x");
        Assert.Equal(
            (403, "nosniff", "application/problem+json"),
            (answer.StatusCode, Of(answer, "X-Content-Type-Options"), answer.ContentType)
        );
    }

    [Fact]
    public async Task Answer_OverHttps_TellsBrowsersToStayThere()
    {
        var context = TestRequest.Create("GET", "/forced");
        context.Request.Scheme = "https";
        Assert.Equal("max-age=31536000; includeSubDomains; preload", Of(await _spine.SendAsync(context), "Strict-Transport-Security"));
    }

    [Fact]
    public async Task Word_OfTheService_Stays()
    {
        var answer = await _spine.SendAsync("GET", "/own/1");
        Assert.Equal(
            ("ALLOW", "frame-ancestors *", "nosniff"),
            (Of(answer, "X-Frame-Options"), Of(answer, "Content-Security-Policy"), Of(answer, "X-Content-Type-Options"))
        );
    }

    [Fact]
    public async Task Word_OfTheService_IsReplacedWhereThatIsSaid()
    {
        var answer = await _spine.SendAsync("GET", "/forced");
        Assert.Equal(
            ("SAMEORIGIN", null, "strict-origin", "camera=()"),
            (
                Of(answer, "X-Frame-Options"),
                Of(answer, "X-Content-Type-Options"),
                Of(answer, "Referrer-Policy"),
                Of(answer, "Permissions-Policy")
            )
        );
    }

    private static string? Of(HttpResponse answer, string name) =>
        answer.Headers.TryGetValue(name, out var values) ? values.ToString() : null;
}
