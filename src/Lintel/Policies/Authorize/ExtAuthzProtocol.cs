using System.Globalization;
using System.Net;
using System.Text;
using Lintel.Identities.Providers;
using Lintel.Pipeline;

namespace Lintel.Policies.Authorize;

/// <summary>
/// Envoy's <c>ext_authz</c> with an HTTP service: the request's method, path, query and host, below the path of the address, without its
/// body.
/// </summary>
internal sealed class ExtAuthzProtocol : IDecisionProtocol
{
    /// <summary>The target is already normal, and the decision point is to see the same one as services.</summary>
    private static readonly UriCreationOptions AsItIs = new() { DangerousDisablePathAndQueryCanonicalization = true };

    private readonly AuthorizeConfig _config;
    private readonly string _address;

    public ExtAuthzProtocol(AuthorizeConfig config) =>
        (_config, _address) = (config, config.Http!.GetLeftPart(UriPartial.Path).TrimEnd('/'));

    public DecisionQuestion Ask(Exchange exchange)
    {
        var method = DecisionPolicy.MethodOf(exchange);
        var address = _address + exchange.RequestTarget.Path + exchange.RequestTarget.Query;
        var headers = new List<KeyValuePair<string, string>>();
        foreach (var name in _config.EffectiveHeaders)
        {
            if (exchange.Field(name) is { } value)
                headers.Add(new(name, value));
        }

        if (exchange.ClientAddress is { } client)
            headers.Add(new("X-Forwarded-For", client.ToString()));
        headers.Add(new("X-Forwarded-Proto", exchange.Scheme));
        var host = exchange.Host;
        var inputs = new StringBuilder().Append(method).Append(' ').Append(address).Append('\n').Append(host);
        foreach (var (name, value) in headers) // neither can contain a line break
            inputs.Append('\n').Append(name).Append(':').Append(value);
        return new DecisionQuestion(inputs.ToString(), () => Create(method, address, host, headers));
    }

    public Decision Read(ProviderAnswer answer) =>
        answer.Status switch
        {
            >= HttpStatusCode.OK and < HttpStatusCode.MultipleChoices => new Decision(200, [.. Chosen(answer, _config.ToService)], []),
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new Decision(
                (int)answer.Status,
                [],
                [.. Chosen(answer, _config.EffectiveToClient)]
            ),
            _ => throw new ProviderException(string.Create(CultureInfo.InvariantCulture, $"{_config.Http} answered {(int)answer.Status}")),
        };

    private static HttpRequestMessage Create(string method, string address, string host, List<KeyValuePair<string, string>> headers)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), new Uri(address, AsItIs));
        request.Headers.TryAddWithoutValidation("Host", host);
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    private static IEnumerable<KeyValuePair<string, string>> Chosen(ProviderAnswer answer, IEnumerable<string> names)
    {
        foreach (var name in names)
        {
            if (answer.Headers.NonValidated.TryGetValues(name, out var values))
                yield return new(name, string.Join(", ", values));
        }
    }
}
