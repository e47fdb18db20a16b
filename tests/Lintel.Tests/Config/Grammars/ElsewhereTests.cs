using System.Reflection;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Hosting;
using Lintel.Policies;

namespace Lintel.Tests.Config.Grammars;

/// <summary>Hints for keys in an unexpected place.</summary>
public sealed partial class ElsewhereTests
{
    [Theory]
    [InlineData(
        "routes: { r: { match: /a, forward: s, cors: {} } }",
        "`cors` belongs in `policies.NAME`; the route refers to it with `policies: [NAME]`"
    )]
    [InlineData(
        "routes: { r: { match: /a, forward: s, rateLimit: {} } }",
        "`rateLimit` belongs in `policies.NAME`; the route refers to it with `policies: [NAME]`"
    )]
    [InlineData("routes: { r: { match: /a, forward: s, timeout: 5s } }", "did you mean `services.NAME.timeouts`?")]
    [InlineData("routes: { r: { match: /a, forward: s, hosts: [a] } }", "`hosts` belongs in `match`")]
    [InlineData("routes: { r: { match: /a, service: s } }", "did you mean `forward`?")]
    [InlineData("services: { s: { instances: [\"http://a\"], healthCheck: {} } }", "did you mean `health`?")]
    [InlineData("services: { s: { instances: [\"http://a\"], circuitBreaker: {} } }", "did you mean `breaker`?")]
    [InlineData("services: { s: { instances: [\"http://a\"], healt: {} } }", "did you mean `health`?")]
    [InlineData("accessLog: { format: text }", "`accessLog` belongs in `observability`")]
    [InlineData("jwt: {}", "`jwt` belongs in `policies.NAME`")]
    [InlineData("policies: { p: { oidc: {} } }", "did you mean `jwt`?")]
    [InlineData("policies: { p: { mtls: {} } }", "did you mean `clientCertificate`?")]
    public void Key_InTheWrongPlace_IsToldWhereItBelongs(string yaml, string hint) =>
        Assert.Contains(hint, GatewayReader.Parse(yaml).Report.Problems.Where(p => p.Code == "unknown-key").Select(p => p.Hint));

    [Fact]
    public void Hint_OfEveryRecord_IsForAKeyThatTheRecordDoesNotHave()
    {
        var schema = (JsonObject)ConfigSchema.Create((_, _) => null)["$defs"]!;
        foreach (var (record, hints) in Table())
        {
            var keys = ((JsonObject)schema[char.ToLowerInvariant(record.Name[0]) + record.Name[1..^"Config".Length]]!["properties"]!)
                .Select(p => p.Key)
                .ToList();
            foreach (var key in keys)
            {
                if (hints.TryGetValue(key, out var hint))
                    Assert.Fail($"{record.Name} has `{key}`, and yet: {hint}");
            }

            // A suggested key of the record itself must be there, built or not.
            foreach (var name in hints.Values.Select(h => Meant().Match(h)).Where(m => m.Success).Select(m => m.Groups[1].Value).Distinct())
                Assert.True(
                    keys.Contains(name) || record == typeof(RouteConfig) || name is "listeners" || IsRefused(record, name),
                    $"{record.Name} has no `{name}`"
                );
        }
    }

    private static bool IsRefused(Type record, string key)
    {
        var grammar =
            record == typeof(GatewayConfig) ? PolicyCatalog.Grammar
            : record == typeof(PolicyConfig) ? PolicyCatalog.PolicyGrammar
            : record.GetProperty("Grammar", BindingFlags.Static | BindingFlags.NonPublic)!.GetValue(null)!;
        var report = new ConfigReport();
        var node = new MapNode(default);
        node.TryAdd(new MapEntry(key, default, new MapNode(default)));
        grammar.GetType().GetMethod("TryRead")!.Invoke(grammar, [node, KeyPath.Root, report, null]);
        return report.Problems.All(p => p.Code != "unknown-key");
    }

    private static Dictionary<Type, Dictionary<string, string>> Table() =>
        (Dictionary<Type, Dictionary<string, string>>)
            typeof(Elsewhere).GetField("Hints", BindingFlags.Static | BindingFlags.NonPublic)!.GetValue(null)!;

    [GeneratedRegex("^did you mean `([A-Za-z]+)`")]
    private static partial Regex Meant();
}
