using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Lintel.Identities;
using Lintel.Identities.Providers;
using Lintel.Pipeline;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Lintel.Policies.Identity;

/// <summary>Signs tokens about callers, and keeps them for the next requests of the same ones.</summary>
/// <remarks>Thread rule: any number of requests; one signs at a time.</remarks>
internal sealed class TokenSigner : IDisposable
{
    /// <summary>A token has about a kilobyte: ten megabytes.</summary>
    private const int MaxTokens = 10_000;

    /// <summary>How far the clock of a service may be behind.</summary>
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(10);

    private readonly IdentityTokenConfig _config;
    private readonly TimeProvider _time;
    private readonly JsonWebTokenHandler _handler = new() { SetDefaultTimesOnTokenCreation = false };
    private readonly List<AsymmetricAlgorithm> _keys = [];
    private readonly SigningCredentials _signing;
    private readonly Lock _lock = new();
    private readonly RecentlyUsed<(UInt128, UInt128), (string Token, DateTimeOffset Until)> _tokens = new(MaxTokens);

    /// <exception cref="FormatException">A key cannot be used.</exception>
    public TokenSigner(IdentityTokenConfig config, TimeProvider time)
    {
        (_config, _time) = (config, time);
        try
        {
            var all = config.Key.Select(Load).ToList();
            _signing = all[0];
            PublicKeys = [.. all.Select(PublicKey.Of)];
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The public keys.</summary>
    public IReadOnlyList<PublicKey> PublicKeys { get; }

    /// <summary>Returns a token about the caller of a request; <see langword="null"/> if there is none.</summary>
    public string? For(Exchange exchange)
    {
        if (exchange.Caller is null)
            return null;
        var claims = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(claims))
        {
            json.WriteStartObject();
            Write(exchange, json);
            json.WriteEndObject();
        }

        // What a token says is its key: two callers have one token only if it says the same of both.
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(claims.WrittenSpan, hash);
        var key = (
            System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(hash),
            System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(hash[16..])
        );
        var now = _time.GetUtcNow();
        if (_tokens.TryGet(key, out var known) && now < known.Until)
            return known.Token;
        var token = Sign(claims.WrittenSpan, now);
        _tokens.Set(key, (token, now + (_config.Lifetime * 0.75)));
        return token;
    }

    public void Dispose() => _keys.ForEach(k => k.Dispose());

    private void Write(Exchange exchange, Utf8JsonWriter json)
    {
        json.WriteString("iss", _config.Issuer ?? exchange.Snapshot.Identity.Name);
        if (_config.Audience is [var only])
            json.WriteString("aud", only);
        else
        {
            json.WriteStartArray("aud");
            foreach (var audience in _config.Audience)
                json.WriteStringValue(audience);
            json.WriteEndArray();
        }

        if (exchange.CallerSubject is { } subject)
            json.WriteString("sub", subject);
        var client = exchange.CallingClient;
        if (client is not null)
            json.WriteString("client", client);
        var scopes = Scopes(exchange, client);
        if (scopes.Length > 0)
            json.WriteString("scope", scopes);
        foreach (var claim in _config.Claims)
        {
            for (var caller = exchange.Caller; caller is not null; caller = caller.Earlier)
            {
                if (!caller.Identity.Claims.TryFind(claim, out var value))
                    continue;
                json.WritePropertyName(claim);
                value.WriteTo(json);
                break;
            }
        }
    }

    private static string Scopes(Exchange exchange, string? client)
    {
        var scopes = client is null ? [] : exchange.Snapshot.Clients.ScopesOf(client);
        for (var caller = exchange.Caller; caller is not null; caller = caller.Earlier)
            scopes = scopes.Concat(caller.Identity.Scopes);
        return string.Join(' ', scopes.Distinct(StringComparer.Ordinal));
    }

    private string Sign(ReadOnlySpan<byte> claims, DateTimeOffset now)
    {
        var id = RandomNumberGenerator.GetHexString(32, lowercase: true);
        var times = string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $",\"iat\":{now.ToUnixTimeSeconds()},\"nbf\":{(now - Skew).ToUnixTimeSeconds()}"
                + $",\"exp\":{(now + _config.Lifetime).ToUnixTimeSeconds()},\"jti\":\"{id}\"}}"
        );
        lock (_lock) // the algorithms' objects do not promise more
            return _handler.CreateToken(Encoding.UTF8.GetString(claims[..^1]) + times, _signing);
    }

    private SigningCredentials Load(string file)
    {
        var (key, credentials) = SigningKey.Load(file, id: null);
        _keys.Add(key);
        credentials.Key.KeyId = Base64UrlEncoder.Encode(credentials.Key.ComputeJwkThumbprint()); // RFC 7638
        return credentials;
    }
}
