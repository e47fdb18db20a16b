using Lintel.Identities.Providers;

namespace Lintel.Identities.Tokens;

/// <summary>Verifies the tokens of one issuer, with the keys of that issuer alone.</summary>
/// <param name="rules">What its tokens must be like.</param>
/// <param name="keys">Its keys.</param>
/// <param name="time">The clock.</param>
internal sealed class TokenVerifier(TokenRules rules, KeySource keys, TimeProvider time)
{
    private readonly SignatureAlgorithm[] _algorithms = [.. SignatureAlgorithm.All.Where(a => rules.Algorithms.Contains(a.Name))];

    public TokenRules Rules => rules;

    public KeySource Keys => keys;

    /// <summary>Verifies a token: algorithm, type, issuer, signature, times and audience.</summary>
    /// <remarks>The claims are judged last: nobody learns anything from a token that the issuer has not signed.</remarks>
    public async ValueTask<VerifiedToken> VerifyAsync(SignedToken token, CancellationToken cancellationToken)
    {
        if (Array.Find(_algorithms, a => a.Name == token.Algorithm) is not { } algorithm)
            return new(new TokenProblem("its algorithm is not accepted"));
        if (!rules.Types.Contains(token.Type))
            return new(new TokenProblem("its type (`typ`) is not accepted"));
        if (!StrictJson.TryText(token.Payload, "iss", out var issuer) || issuer != rules.Issuer)
            return new(new TokenProblem("its issuer is another") { Description = "the token's issuer is not accepted" });
        try
        {
            var set = await keys.GetAsync(cancellationToken).ConfigureAwait(false);
            var found = Find(token, algorithm, set);
            if (found == Match.Unknown)
                (set, found) = await RetryAsync(token, algorithm, set, cancellationToken).ConfigureAwait(false);
            if (found == Match.Unknown && keys.Failure is { } failure)
                return Unavailable(failure);
            if (found != Match.Verified)
                return new(new TokenProblem(found == Match.Unknown ? "none of the issuer's keys has signed it" : "its signature is wrong"));
            return rules.Check(token.Payload, time.GetUtcNow(), out var expires) is { } problem
                ? new(problem)
                : new VerifiedToken(new ClaimSet(token.Payload), expires, set);
        }
        catch (ProviderException e)
        {
            return Unavailable(e);
        }
    }

    /// <summary>Tries it with new keys: the provider may have changed them.</summary>
    private async ValueTask<(KeySet, Match)> RetryAsync(
        SignedToken token,
        SignatureAlgorithm algorithm,
        KeySet before,
        CancellationToken cancellationToken
    )
    {
        var set = await keys.RenewAsync(cancellationToken).ConfigureAwait(false);
        return (set, ReferenceEquals(set, before) ? Match.Unknown : Find(token, algorithm, set));
    }

    private static VerifiedToken Unavailable(ProviderException cause) =>
        new(new TokenProblem($"the issuer's keys are not known: {cause.Message}") { Unavailable = cause });

    private static Match Find(SignedToken token, SignatureAlgorithm algorithm, KeySet set)
    {
        var (candidates, isNamed) = set.Find(token.KeyId, algorithm);
        foreach (var key in candidates)
        {
            if (token.IsSignedBy(key, algorithm))
                return Match.Verified;
        }

        return isNamed ? Match.Wrong : Match.Unknown;
    }

    private enum Match
    {
        Verified,
        Wrong,

        /// <summary>A key that is not in the set may have signed it.</summary>
        Unknown,
    }
}

/// <summary>The result of a verification: claims, or a problem.</summary>
internal readonly record struct VerifiedToken
{
    /// <summary>The token is refused.</summary>
    public VerifiedToken(TokenProblem problem) => Problem = problem;

    /// <summary>The token is valid.</summary>
    public VerifiedToken(ClaimSet claims, DateTimeOffset expires, KeySet keys) => (Claims, Expires, Keys) = (claims, expires, keys);

    /// <summary>Its claims; <see langword="null"/> if it is refused.</summary>
    public ClaimSet? Claims { get; }

    /// <summary>Its <c>exp</c>.</summary>
    public DateTimeOffset Expires { get; }

    /// <summary>The set that it was verified with.</summary>
    public KeySet? Keys { get; }

    /// <summary>Why it is refused.</summary>
    public TokenProblem? Problem { get; }
}
