using System.Text.Json;

namespace Lintel.Control.Explaining;

/// <summary>A request to explain.</summary>
internal sealed record ExplainRequest
{
    /// <summary>The method, in upper case. Default GET.</summary>
    public string Method { get; init; } = "GET";

    /// <summary>Path and query as in a request line, or an absolute URL, whose host is then that of the request.</summary>
    public required string Target { get; init; }

    /// <summary>Header fields. Without <c>Host</c> the host is that of the target, otherwise <c>localhost</c>.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>
    /// The name of the listener that receives it. Default: the first one of the target's scheme, <c>http</c> if the target is a path.
    /// </summary>
    public string? Listener { get; init; }

    /// <summary>The configured client that is assumed to be the caller. Default: none.</summary>
    public string? Client { get; init; }

    /// <summary>The claims that the caller is assumed to have: a JSON object. Default: none.</summary>
    public JsonElement? Claims { get; init; }

    /// <summary>The same request of an assumed caller.</summary>
    /// <param name="client">The name of a client.</param>
    /// <param name="claims">A JSON object.</param>
    /// <param name="problem">What is wrong with it.</param>
    /// <returns><see langword="null"/> if the claims are none.</returns>
    public ExplainRequest? Of(string? client, string? claims, out string? problem)
    {
        problem = null;
        if (claims is null)
            return this with { Client = client };
        try
        {
            if (JsonElement.Parse(claims, new() { AllowDuplicateProperties = false }) is { ValueKind: JsonValueKind.Object } json)
                return this with { Client = client, Claims = json };
        }
        catch (JsonException) { }

        problem = "`--claims` is not a JSON object: write --claims '{\"sub\":\"kim\"}'";
        return null;
    }

    /// <summary>Parses <c>[METHOD] /path?query</c>.</summary>
    /// <param name="line">Such as <c>GET /api/users/42</c>.</param>
    /// <param name="headers">Such as <c>X-Client: ios</c>.</param>
    /// <param name="problem">What is wrong with them.</param>
    /// <returns><see langword="null"/> if they are not a valid request.</returns>
    public static ExplainRequest? Parse(string line, IEnumerable<string> headers, out string? problem)
    {
        ArgumentNullException.ThrowIfNull(line);
        ArgumentNullException.ThrowIfNull(headers);
        problem = null;
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (
            words.Length is not (1 or 2)
            || (words.Length == 2 && !words[0].All(c => char.IsAsciiLetterUpper(c) || c == '-'))
            || !(words[^1].StartsWith('/') || words[^1].Contains("://", StringComparison.Ordinal))
        )
        {
            problem = $"`{line}` is not a request: write `[METHOD] /path?query`, such as \"GET /api/users/42\"";
            return null;
        }

        var fields = new List<KeyValuePair<string, string>>();
        foreach (var header in headers)
        {
            var colon = header.IndexOf(':', StringComparison.Ordinal);
            if (colon <= 0 || !Config.HeaderGrammar.IsToken(header.AsSpan(0, colon)) || header.Any(char.IsControl))
            {
                problem = $"`{header}` is not a header: write `Name: value`";
                return null;
            }

            fields.Add(new(header[..colon], header[(colon + 1)..].Trim()));
        }

        return new ExplainRequest
        {
            Method = words.Length == 2 ? words[0] : "GET",
            Target = words[^1],
            Headers = fields,
        };
    }
}
