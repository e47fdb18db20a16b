using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Lintel.Identities.Providers;
using Lintel.Pipeline;
using Microsoft.AspNetCore.WebUtilities;

namespace Lintel.Policies.Authorize;

/// <summary>Open Policy Agent's Data API: <c>POST /v1/data/PATH</c> with an input document.</summary>
internal sealed class OpaProtocol(AuthorizeConfig config) : IDecisionProtocol
{
    private readonly string[] _headers = [.. config.EffectiveHeaders.Select(h => h.ToLowerInvariant())];

    public DecisionQuestion Ask(Exchange exchange)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject("input"u8);
            WriteRequest(exchange, json);
            WriteCaller(exchange, json);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        var input = Encoding.UTF8.GetString(buffer.WrittenSpan);
        return new DecisionQuestion(input, () =>
            new HttpRequestMessage(HttpMethod.Post, config.Http)
            {
                Content = new StringContent(input, new MediaTypeHeaderValue("application/json")),
                Headers = { Accept = { new MediaTypeWithQualityHeaderValue("application/json") } },
            }
        );
    }

    /// <remarks>Without a <c>result</c> the decision is undefined: the document does not exist, or no rule of it applies.</remarks>
    public Decision Read(ProviderAnswer answer)
    {
        if (answer.Status != HttpStatusCode.OK)
            throw new ProviderException(string.Create(CultureInfo.InvariantCulture, $"{config.Http} answered {(int)answer.Status}"));
        if (answer.Json is not { ValueKind: JsonValueKind.Object } json || !json.TryGetProperty("result", out var result))
            throw new ProviderException($"{config.Http} answered without a `result`: its document is not defined");
        var allow = result.ValueKind == JsonValueKind.Object && result.TryGetProperty("allow", out var member) ? member : result;
        return allow.ValueKind switch
        {
            JsonValueKind.True => new Decision(200, [.. Headers(result)], []),
            JsonValueKind.False => new Decision(403, [], []),
            _ => throw new ProviderException($"the `result` of {config.Http} is neither a boolean nor an object with `allow`"),
        };
    }

    private IEnumerable<KeyValuePair<string, string>> Headers(JsonElement result)
    {
        if (result.ValueKind != JsonValueKind.Object || !result.TryGetProperty("headers", out var headers))
            yield break;
        if (headers.ValueKind != JsonValueKind.Object)
            throw new ProviderException($"`result.headers` of {config.Http} is not an object");
        foreach (var name in config.ToService)
        {
            var found = headers.EnumerateObject().FirstOrDefault(h => h.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Value;
            if (found.ValueKind == JsonValueKind.Undefined)
                continue;
            if (found.ValueKind != JsonValueKind.String || found.GetString() is not { } value || value.Any(c => c is < ' ' or > '~'))
                throw new ProviderException($"`result.headers` of {config.Http} has a value that is not printable text");
            yield return new(name, value);
        }
    }

    private void WriteRequest(Exchange exchange, Utf8JsonWriter json)
    {
        json.WriteString("method"u8, DecisionPolicy.MethodOf(exchange));
        json.WriteString("scheme"u8, exchange.Scheme);
        json.WriteString("host"u8, exchange.Host);
        json.WriteStartArray("path"u8);
        foreach (var segment in exchange.RequestTarget.Path.Split('/').Skip(1))
            json.WriteStringValue(Uri.UnescapeDataString(segment));
        json.WriteEndArray();
        json.WriteStartObject("query"u8);
        var pairs = new List<(string Name, string Value)>();
        foreach (var pair in new QueryStringEnumerable(exchange.RequestTarget.Query))
            pairs.Add((pair.DecodeName().ToString(), pair.DecodeValue().ToString()));
        foreach (var values in pairs.GroupBy(p => p.Name, p => p.Value))
        {
            json.WriteStartArray(values.Key);
            foreach (var value in values)
                json.WriteStringValue(value);
            json.WriteEndArray();
        }

        json.WriteEndObject();
        json.WriteStartObject("headers"u8);
        foreach (var name in _headers)
        {
            if (exchange.Field(name) is { } value)
                json.WriteString(name, value);
        }

        json.WriteEndObject();
        json.WriteString("route"u8, exchange.Route!.Name);
        json.WriteStartObject("parameters"u8);
        foreach (var name in exchange.ParameterNames)
        {
            if (exchange.Parameter(name) is { } value)
                json.WriteString(name, Uri.UnescapeDataString(value));
        }

        json.WriteEndObject();
        json.WriteString("address"u8, exchange.ClientAddress?.ToString());
    }

    private static void WriteCaller(Exchange exchange, Utf8JsonWriter json)
    {
        json.WriteString("client"u8, exchange.CallingClient);
        if (exchange.Caller is null)
        {
            json.WriteNull("claims"u8);
            return;
        }

        // As for rules: of a claim that several policies have established, the one of the last.
        json.WriteStartObject("claims"u8);
        var written = new HashSet<string>(StringComparer.Ordinal);
        for (var caller = exchange.Caller; caller is not null; caller = caller.Earlier)
        {
            foreach (var claim in caller.Identity.Claims.Root.EnumerateObject())
            {
                if (written.Add(claim.Name))
                    claim.WriteTo(json);
            }
        }

        json.WriteEndObject();
    }
}
