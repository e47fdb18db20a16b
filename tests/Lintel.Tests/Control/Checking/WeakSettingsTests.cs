using Lintel.Config;
using Lintel.Control.Checking;
using Lintel.Identities;

namespace Lintel.Tests.Control.Checking;

public sealed class WeakSettingsTests
{
    private static readonly string Hash = PasswordHash.Create("x"u8, PasswordHash.LeastIterations).ToConfig();

    private static readonly string Weak = $$"""
        listeners: { public: { address: "http://0.0.0.0:8080" }, inner: { address: "http://127.0.0.1:8081", trustedProxies: { from: ["::/0"] } } }
        trustedProxies: { from: [10.0.0.0/8] }
        services: { far: http://orders.internal:8080, near: http://127.0.0.1:8080, safe: https://orders.internal }
        policies:
          key: { apiKey: { query: key } }
          admin: { authorize: { role: admin } }
          users: { basic: { users: { kim: "{{Hash}}" } } }
          point: { authorize: { http: http://opa.internal:8181/v1/data/x } }
          any: { cors: { origins: ["*"] } }
          office: { access: { allow: 10.0.0.0/8 } }
          web: { session: { issuer: https://id.example.com, clientId: shop, clientSecret: x } }
        routes:
          open: { match: /open, forward: near }
          office: { match: /office, forward: near, policies: [office] }
          text: { match: /text, respond: { body: x }, policies: [any] }
          rule: { match: /rule, forward: near, policies: [admin] }
          far: { match: /far, forward: far, policies: [key] }
          page: { match: /page, forward: safe, policies: [web] }
          headers: { match: /headers, forward: safe, policies: [web, { securityHeaders: {} }] }
          safe: { match: /safe, forward: safe, policies: [key, point, { basic: { users: { lee: "{{Hash}}" } } }, users] }
        """;

    [Fact]
    public void Configuration_ThatIsWeak_IsReported_WithPlaceAndRemedy()
    {
        var findings = Find(Weak);
        Assert.Equal(
            [
                "any-proxy listeners.inner.trustedProxies",
                "plain-service services.far",
                "key-in-query policies.key.apiKey.query",
                "weak-hash policies.users.basic.users.kim",
                "plain-provider policies.point.authorize.http",
                "any-origin policies.any.cors.origins",
                "open-route routes.open",
                "rule-without-caller routes.rule.policies",
                "no-security-headers routes.page",
                "weak-hash routes.safe.policies[2].basic.users.lee",
            ],
            findings.Select(f => $"{f.Code} {f.Path}")
        );
        Assert.All(findings, f => Assert.True(f.Position.Line > 0 && f.Hint is { Length: > 10 }, f.ToString()));
    }

    [Fact]
    public void Listener_WithoutEncryption_IsReported_UnlessAProxyEncrypts()
    {
        var findings = Find(Weak.Replace("trustedProxies: { from: [10.0.0.0/8] }\n", "", StringComparison.Ordinal));
        Assert.Contains(findings, f => f is { Code: WeakSettings.PlainCredentials, Path: "listeners.public" });
        Assert.DoesNotContain(findings, f => f is { Code: WeakSettings.PlainCredentials, Path: "listeners.inner" });
    }

    [Fact]
    public void Findings_ThatAreIntended_AreLeftOut() =>
        Assert.Equal(
            [WeakSettings.AnyProxy, WeakSettings.AnyOrigin],
            Find(Weak, [.. WeakSettings.Codes.Except([WeakSettings.AnyProxy, WeakSettings.AnyOrigin])]).Select(f => f.Code)
        );

    private static IReadOnlyList<ConfigProblem> Find(string yaml, params string[] except)
    {
        var reading = GatewayReader.Parse(yaml);
        var report = WeakSettings.Find(reading, GatewayReader.Compiler(), except);
        Assert.Empty(report.Problems);
        return report.Warnings;
    }
}
