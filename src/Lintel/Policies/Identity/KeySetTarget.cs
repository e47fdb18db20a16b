using System.Buffers;
using System.Text.Json;
using Lintel.Errors;
using Lintel.Identities.Providers;
using Lintel.Pipeline;

namespace Lintel.Policies.Identity;

/// <summary>Answers with public keys, as a JSON Web Key Set (RFC 7517 section 5).</summary>
internal sealed class KeySetTarget(IReadOnlyList<PublicKey> keys) : Target
{
    private readonly byte[] _body = Write(keys);

    /// <remarks>Services may keep the keys for five minutes: a new key is published longer than that before it signs.</remarks>
    public override ValueTask<GatewayError?> RunAsync(Exchange exchange)
    {
        exchange.SetResponseField("Cache-Control", "public, max-age=300");
        return AnswerContent.WriteAsync(exchange, "application/jwk-set+json", _body);
    }

    private static byte[] Write(IReadOnlyList<PublicKey> keys)
    {
        var text = new ArrayBufferWriter<byte>(512);
        using var json = new Utf8JsonWriter(text);
        json.WriteStartObject();
        json.WriteStartArray("keys");
        foreach (var key in keys)
        {
            json.WriteStartObject();
            foreach (var (name, value) in key.Members)
            {
                if (value is not null)
                    json.WriteString(name, value);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        return text.WrittenSpan.ToArray();
    }
}
