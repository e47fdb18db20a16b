using Lintel.Identities.Providers;
using Lintel.Pipeline;

namespace Lintel.Policies.Authorize;

/// <summary>How a decision point is asked, and what its answers mean.</summary>
internal interface IDecisionProtocol
{
    /// <summary>The question about a request.</summary>
    public DecisionQuestion Ask(Exchange exchange);

    /// <summary>The decision in an answer.</summary>
    /// <exception cref="ProviderException">The answer is not one of the protocol.</exception>
    public Decision Read(ProviderAnswer answer);
}

/// <summary>A question to a decision point: everything that it is asked with, and nothing else.</summary>
/// <param name="Inputs">All inputs as one text, which two questions have in common only if they are the same question.</param>
/// <param name="CreateRequest">Creates the request.</param>
internal sealed record DecisionQuestion(string Inputs, Func<HttpRequestMessage> CreateRequest)
{
    /// <summary>Does not disclose the inputs, which may be credentials.</summary>
    public override string ToString() => nameof(DecisionQuestion);
}

/// <summary>The decision about a request.</summary>
/// <param name="Status">The status of the refusal: 401 or 403; 200 if it is allowed.</param>
/// <param name="ToService">Headers for services.</param>
/// <param name="ToClient">Headers for the client.</param>
internal sealed record Decision(
    int Status,
    IReadOnlyList<KeyValuePair<string, string>> ToService,
    IReadOnlyList<KeyValuePair<string, string>> ToClient
)
{
    public bool IsAllowed => Status == 200;
}
