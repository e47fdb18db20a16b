using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Lintel.Config;
using Lintel.Identities;
using Lintel.Routing;
using Microsoft.Extensions.Primitives;

namespace Lintel.Pipeline;

/// <summary>The configured clients that are recognized by a credential: by an API key, by claims, or by a certificate.</summary>
internal sealed class ClientDirectory
{
    /// <summary>The longest key that is looked up: longer ones are refused without hashing them.</summary>
    public const int MaxKey = 512;

    private readonly FrozenDictionary<UInt128, KnownKey[]> _keys;
    private readonly ClientClaims[] _byClaims;
    private readonly FrozenDictionary<string, ClientConfig> _clients;
    private readonly ClientCertificates[] _byCertificate;

    private ClientDirectory(IEnumerable<KnownKey> keys, IEnumerable<ClientClaims> byClaims, ValueMap<ClientConfig> clients)
    {
        _keys = keys.GroupBy(k => Start(k.Hash)).ToFrozenDictionary(g => g.Key, g => g.ToArray());
        _byClaims = [.. byClaims];
        _clients = clients.ToFrozenDictionary(StringComparer.Ordinal);
        _byCertificate =
        [
            .. clients
                .Where(c => c.Value.Certificates.Count > 0)
                .Select(c => new ClientCertificates(c.Key, [.. c.Value.Certificates.Select(Pattern).OfType<CertificatePattern>()])),
        ];
    }

    /// <summary>The directory of a gateway without clients.</summary>
    public static ClientDirectory None { get; } = new([], [], []);

    /// <summary>Creates the directory.</summary>
    /// <param name="clients">The configured clients.</param>
    /// <param name="claims">Compiles a client's tests on claims.</param>
    public static ClientDirectory Of(ValueMap<ClientConfig> clients, Func<string, ClientConfig, IEnumerable<ClaimTest>> claims) =>
        new(
            from client in clients
            from key in client.Value.ApiKeys
            select new KnownKey(client.Key, key.HashBytes, key.Expires),
            from client in clients
            where client.Value.Claims.Count > 0
            select new ClientClaims(client.Key, [.. claims(client.Key, client.Value)]),
            clients
        );

    /// <summary>Finds the client of an API key.</summary>
    /// <param name="key">The key as sent.</param>
    /// <param name="now">The current time.</param>
    /// <param name="client">The client's name.</param>
    /// <param name="expires">When the key ends.</param>
    /// <returns>False if there is no such key, or it has expired.</returns>
    /// <remarks>
    /// Only hashes are compared, and what a lookup's time discloses is the hash of a guess. The comparison of whole hashes takes constant
    /// time all the same.
    /// </remarks>
    public bool TryFindKey(string key, DateTimeOffset now, [NotNullWhen(true)] out string? client, out DateTimeOffset? expires)
    {
        (client, expires) = (null, null);
        if (key.Length is 0 or > MaxKey)
            return false;
        Span<byte> bytes = stackalloc byte[MaxKey * 3]; // the longest UTF-8
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(key, bytes)], hash);
        if (!_keys.TryGetValue(Start(hash), out var candidates))
            return false;
        foreach (var known in candidates)
        {
            if (!CryptographicOperations.FixedTimeEquals(known.Hash, hash) || known.Expires <= now)
                continue;
            (client, expires) = (known.Client, known.Expires);
            return true;
        }

        return false;
    }

    /// <summary>The client that an identity belongs to; <see langword="null"/> for none. The first one applies.</summary>
    public string? Find(CallerIdentity identity)
    {
        if (identity.Client is not null)
            return identity.Client;
        if (identity.CertificateNames is { } names)
        {
            foreach (var client in _byCertificate)
            {
                if (Array.Exists(client.Patterns, p => names.Find(p) is not null))
                    return client.Name;
            }
        }

        foreach (var client in _byClaims)
        {
            if (Array.TrueForAll(client.Tests, t => t.Holds(identity.Claims)))
                return client.Name;
        }

        return null;
    }

    /// <summary>The scopes that the configuration grants a client.</summary>
    public IEnumerable<string> ScopesOf(string client) => _clients.TryGetValue(client, out var config) ? config.Scopes : [];

    /// <summary>Whether the configuration grants a client a scope.</summary>
    public bool Grants(string client, string scope) => _clients.TryGetValue(client, out var config) && config.Scopes.Contains(scope);

    private static UInt128 Start(ReadOnlySpan<byte> hash) => System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(hash);

    private sealed record KnownKey(string Client, byte[] Hash, DateTimeOffset? Expires);

    /// <summary>What is not a pattern in code has been reported.</summary>
    private static CertificatePattern? Pattern(string text) => CertificatePattern.TryParse(text, out var pattern) ? pattern : null;

    private sealed record ClientCertificates(string Name, CertificatePattern[] Patterns);

    private sealed record ClientClaims(string Name, ClaimTest[] Tests);
}

/// <summary>A condition on a claim.</summary>
/// <param name="name">The claim.</param>
/// <param name="test">The test of its values, of which a list has several.</param>
internal sealed class ClaimTest(string name, ValueTest test)
{
    public bool Holds(ClaimSet claims) =>
        test.Holds(claims.TryFind(name, out var value) ? new StringValues([.. ClaimSet.Texts(value)]) : StringValues.Empty);
}
