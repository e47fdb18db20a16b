using Lintel.Errors;
using Lintel.Identities;

namespace Lintel.Pipeline;

/// <summary>A policy that establishes who sends a request. Several of them on a route must all succeed.</summary>
internal abstract class AuthenticationPolicy : Policy, IAdmitting
{
    /// <summary>Examines the credential that this policy is about, if the request carries one.</summary>
    public abstract ValueTask<AuthenticationResult> AuthenticateAsync(Exchange exchange);

    /// <summary>
    /// Where requests may carry credentials of this policy, apart from <c>Authorization</c>. The policy <c>identity</c> keeps what is there
    /// from services, whichever of several alternatives a request was authenticated with: nobody has examined the others.
    /// </summary>
    public virtual IEnumerable<Credential> Places => [];

    /// <summary>
    /// The challenges for a request without a valid credential: lines of <c>WWW-Authenticate</c> that tell clients what to send.
    /// </summary>
    /// <param name="exchange">The request.</param>
    /// <param name="result">Why it is refused.</param>
    public abstract IEnumerable<string> Challenge(Exchange exchange, AuthenticationResult result);

    /// <summary>
    /// The URL to which a browser that navigates is sent to log in, in place of a 401; <see langword="null"/> for none.
    /// </summary>
    public virtual string? LoginUrl(Exchange exchange) => null;

    /// <inheritdoc/>
    public async ValueTask<GatewayError?> AdmitAsync(Exchange exchange)
    {
        var result = await AuthenticateAsync(exchange).ConfigureAwait(false);
        if (result.Identity is not { } identity)
            return Refuse(exchange, result);
        exchange.Authenticate(identity, result.Credential);
        return null;
    }

    /// <summary>The error of a request that was not authenticated.</summary>
    private GatewayError Refuse(Exchange exchange, AuthenticationResult result)
    {
        if (result.Outcome == AuthenticationOutcome.Refused)
            return result.Error!;
        if (result.Outcome == AuthenticationOutcome.Unavailable)
            return new GatewayError(GatewayErrorKind.AuthenticationUnavailable, Cause: result.Cause) { LogDetail = result.LogDetail };
        if (LoginUrl(exchange) is { } url)
            return new GatewayError(GatewayErrorKind.LoginRequired) { Headers = [new("Location", url)] };
        return new GatewayError(GatewayErrorKind.Unauthenticated, result.Description)
        {
            LogDetail = result.LogDetail,
            Challenges = [.. Challenge(exchange, result)],
            Headers = result.Headers ?? [],
        };
    }
}

/// <summary>The outcome of an authentication.</summary>
internal enum AuthenticationOutcome
{
    /// <summary>The request carries no credential of the policy's kind.</summary>
    Absent,

    /// <summary>The caller is known.</summary>
    Accepted,

    /// <summary>The credential is not valid.</summary>
    Invalid,

    /// <summary>Whether the credential is valid could not be found out. The request is refused.</summary>
    Unavailable,

    /// <summary>The request is refused for another reason than its credential, which no other policy can make good.</summary>
    Refused,
}

/// <summary>The result of an authentication.</summary>
internal readonly record struct AuthenticationResult
{
    /// <summary>The request carries no credential of the policy's kind.</summary>
    public static AuthenticationResult Absent => default;

    public AuthenticationOutcome Outcome { get; private init; }

    /// <summary>Who the caller is, if it was accepted.</summary>
    public CallerIdentity? Identity { get; private init; }

    /// <summary>The accepted credential.</summary>
    public Credential Credential { get; private init; }

    /// <summary>The code of the challenge's <c>error</c> parameter, as in RFC 6750 section 3.1.</summary>
    public string? ErrorCode { get; private init; }

    /// <summary>What is wrong with the credential, in words that help its owner and no attacker; a sentence for the client.</summary>
    public string? Description { get; private init; }

    /// <summary>What is wrong in detail, for the error log. Never contains the credential.</summary>
    public string? LogDetail { get; init; }

    /// <summary>The alternative of <c>anyOf</c> that the result is from; <see langword="null"/> for the policy itself.</summary>
    public AuthenticationPolicy? By { get; init; }

    /// <summary>Fields of the response that go with the challenge, such as <c>DPoP-Nonce</c>; <see langword="null"/> for none.</summary>
    public IReadOnlyList<KeyValuePair<string, string>>? Headers { get; init; }

    /// <summary>Why it could not be found out.</summary>
    public Exception? Cause { get; private init; }

    /// <summary>Why the request is refused whatever other policies say.</summary>
    public GatewayError? Error { get; private init; }

    /// <summary>The caller is known.</summary>
    public static AuthenticationResult Accept(CallerIdentity identity, Credential credential) =>
        new()
        {
            Outcome = AuthenticationOutcome.Accepted,
            Identity = identity,
            Credential = credential,
        };

    /// <summary>The credential is not valid.</summary>
    /// <param name="code">The challenge's <c>error</c>.</param>
    /// <param name="description">A sentence for the client.</param>
    public static AuthenticationResult Invalid(string code, string description) =>
        new()
        {
            Outcome = AuthenticationOutcome.Invalid,
            ErrorCode = code,
            Description = description,
        };

    /// <summary>Whether the credential is valid could not be found out.</summary>
    /// <param name="detail">What failed, for the error log.</param>
    /// <param name="cause">The exception behind it.</param>
    public static AuthenticationResult Unavailable(string detail, Exception? cause = null) =>
        new()
        {
            Outcome = AuthenticationOutcome.Unavailable,
            LogDetail = detail,
            Cause = cause,
        };

    /// <summary>The request is refused whatever its credential: as misdirected, or as forged.</summary>
    public static AuthenticationResult Refuse(GatewayError error) => new() { Outcome = AuthenticationOutcome.Refused, Error = error };
}
