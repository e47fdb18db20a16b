using Lintel.Identities;
using Lintel.Pipeline;

namespace Lintel.Policies.AnyOf;

/// <summary>Phase 2: accepts what one of several policies accepts.</summary>
internal sealed class AnyOfPolicy(PolicyParts parts) : AuthenticationPolicy
{
    private readonly AuthenticationPolicy[] _members = [.. parts.Members.Cast<AuthenticationPolicy>()];

    public override IEnumerable<Credential> Places => _members.SelectMany(m => m.Places);

    public override async ValueTask<AuthenticationResult> AuthenticateAsync(Exchange exchange)
    {
        var worst = AuthenticationResult.Absent;
        foreach (var member in _members)
        {
            var result = await member.AuthenticateAsync(exchange).ConfigureAwait(false);
            if (result.Outcome == AuthenticationOutcome.Accepted)
                return result;
            if (result.Outcome > worst.Outcome)
                worst = result with { By = member };
        }

        return worst;
    }

    public override IEnumerable<string> Challenge(Exchange exchange, AuthenticationResult result) =>
        _members
            .SelectMany(m => m.Challenge(exchange, m == result.By ? result : AuthenticationResult.Absent))
            .Distinct(StringComparer.Ordinal);

    public override string? LoginUrl(Exchange exchange)
    {
        foreach (var member in _members)
        {
            if (member.LoginUrl(exchange) is { } url)
                return url;
        }

        return null;
    }
}
