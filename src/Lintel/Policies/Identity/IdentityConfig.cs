using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Pipeline;

namespace Lintel.Policies.Identity;

/// <summary>How services get to know the caller: by headers, by a token that the gateway signs, or by a token of the provider.</summary>
/// <remarks>
/// What clients send in a header that the policy sets never reaches services, also if the policy has no value for it. The policy applies to
/// every request that is sent for the client's: forwarded, composed, mirrored, WebSocket and gRPC. Without it, services receive credentials
/// as the client sent them.
/// </remarks>
public sealed record IdentityConfig : PolicyConfig
{
    internal const string Key = "identity";

    private const string ClientCert = "Client-Cert";

    private const string Authorization = "Authorization";

    /// <summary>
    /// Headers by name, with placeholders in their values: <c>{ X-User: "{claim:sub}" }</c>. A header is absent if one of its placeholders
    /// has no value. A value that is not printable ASCII, or contains <c>%</c>, is percent-encoded, and so are commas in the items of a
    /// list, so that different values remain different. Default: none.
    /// </summary>
    public ValueMap<string> Headers { get; init; } = [];

    /// <summary>
    /// What services receive of the caller's credentials. Default <c>strip</c>: <c>Authorization</c>, <c>DPoP</c>, and what the
    /// authentication policies of the route read from headers, cookies and query parameters are removed.
    /// </summary>
    public CredentialsConfig Credentials { get; init; } = new();

    /// <summary>A token about the caller, signed by the gateway. Default: none.</summary>
    public IdentityTokenConfig? Jwt { get; init; }

    /// <summary>
    /// Whether services receive the certificate of the client's connection in <c>Client-Cert</c> (RFC 9440). Default: false. What clients
    /// send in this header is removed in any case.
    /// </summary>
    public bool ClientCertificate { get; init; }

    internal static Grammar<IdentityConfig> Grammar { get; } =
        new RecordGrammar<IdentityConfig>(static f =>
        {
            var identity = new IdentityConfig
            {
                Headers = f.FilledMap(
                    "headers",
                    TemplateGrammar.Instance,
                    "set a header, such as `X-User: \"{claim:sub}\"`",
                    HeaderGrammar.Name
                ),
                Credentials = f.Get("credentials", CredentialsConfig.Grammar, new CredentialsConfig()),
                Jwt = f.Find("jwt", IdentityTokenConfig.Grammar),
                ClientCertificate = f.Get("clientCertificate", Scalars.Boolean, false),
            };
            string[] keys = ["headers", "credentials", "jwt"];
            if (f.IsReading && !keys.Any(f.HasFailed) && identity.NameProblem is { } problem)
                f.Report("conflict", null, problem.Message, problem.Hint);
            return identity;
        });

    internal override string Kind => Key;

    internal override IEnumerable<string> Files => (Jwt?.Key ?? []).Concat(Credentials.Request is { } request ? request.Files : []);

    internal override (string Message, string Hint)? Problem => NameProblem ?? Jwt?.Problem ?? Credentials.Request?.RequestProblem;

    /// <summary>The problem of the headers' names; <see langword="null"/> for none.</summary>
    private (string Message, string Hint)? NameProblem
    {
        get
        {
            var names = Headers.Keys.Select(Fold).ToList();
            if (Jwt is not null)
                names.Add(Fold(Jwt.Header));
            if (Credentials.Request is not null)
                names.Add(Authorization);
            var twice = names.GroupBy(n => n, StringComparer.OrdinalIgnoreCase).FirstOrDefault(g => g.Count() > 1)?.Key;
            if (twice is not null)
                return (
                    $"the header {twice} is set twice",
                    twice == Authorization
                        ? "send the gateway's own token in another header: `jwt: { header: X-Identity }`"
                        : "keep one of them"
                );
            if (names.Any(n => n.StartsWith(ClientCert, StringComparison.OrdinalIgnoreCase)))
                return ($"{ClientCert} is not a header of your own", "write `clientCertificate: true`");
            return null;
        }
    }

    /// <summary>Services behind CGI, WSGI or PHP cannot distinguish <c>_</c> from <c>-</c>.</summary>
    private static string Fold(string name) => name.Replace('_', '-');
}

/// <summary>A header's value with placeholders.</summary>
internal sealed class TemplateGrammar : Grammar<string>
{
    public static TemplateGrammar Instance { get; } = new();

    public override bool TryRead(Config.Reading.ConfigNode node, KeyPath path, ConfigReport report, out string value)
    {
        if (!HeaderGrammar.Value.TryRead(node, path, report, out value))
            return false;
        if (Template.Parse(value, RouteParameters.Late, out var problem, out var hint) is not null)
            return true;
        report.Add("bad-value", node, path, problem!, hint);
        return false;
    }

    public override System.Text.Json.Nodes.JsonObject Describe(SchemaDefinitions definitions) => HeaderGrammar.Value.Describe(definitions);
}
