using System.Net.Security;
using Lintel.Config.Grammars;

namespace Lintel.Config;

/// <summary>A version of TLS.</summary>
public enum TlsVersion
{
    /// <summary>RFC 5246, restricted to authenticated encryption and forward secrecy.</summary>
    Tls12,

    /// <summary>RFC 8446.</summary>
    Tls13,
}

/// <summary>A key exchange group, by its number in the TLS registry.</summary>
public enum TlsGroup
{
    /// <summary>The NIST curve P-256, secp256r1.</summary>
    P256 = 0x17,

    /// <summary>The NIST curve P-384, secp384r1.</summary>
    P384 = 0x18,

    /// <summary>The NIST curve P-521, secp521r1.</summary>
    P521 = 0x19,

    /// <summary>Curve25519.</summary>
    X25519 = 0x1d,
}

/// <summary>
/// TLS settings of a listener. The defaults are Mozilla's "intermediate" (https://wiki.mozilla.org/Security/Server_Side_TLS, version 5.7)
/// without the suites whose key exchange does not use elliptic curves.
/// </summary>
public sealed record TlsConfig
{
    /// <summary>The minimum version: <c>1.2</c> (default) or <c>1.3</c>.</summary>
    public TlsVersion MinVersion { get; init; } = TlsVersion.Tls12;

    /// <summary>
    /// The cipher suites, by IANA names, in order of preference. Default: AES-GCM and ChaCha20-Poly1305, in TLS 1.2 with ECDHE. CBC suites
    /// can be configured for clients that support no others, on listeners without <c>http2</c> (RFC 9113 section 9.2.2 forbids them there).
    /// </summary>
    public ValueList<TlsCipherSuite> CipherSuites { get; init; } = [.. Modern];

    /// <summary>
    /// The key exchange groups: <c>x25519</c>, <c>p256</c>, <c>p384</c>, <c>p521</c>. Default: the first three. A handshake is refused if
    /// the client offers none of them, or if its first key share is for another group. Hybrids of them with ML-KEM are accepted if the
    /// system's OpenSSL supports them. Finite-field groups (<c>ffdhe…</c>) cannot be configured: the largest takes a hundred times the work
    /// of a curve.
    /// </summary>
    public ValueList<TlsGroup> Groups { get; init; } = [TlsGroup.X25519, TlsGroup.P256, TlsGroup.P384];

    private static TlsCipherSuite[] Modern =>
        [
            TlsCipherSuite.TLS_AES_128_GCM_SHA256,
            TlsCipherSuite.TLS_AES_256_GCM_SHA384,
            TlsCipherSuite.TLS_CHACHA20_POLY1305_SHA256,
            TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            TlsCipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ];

    private static TlsCipherSuite[] Old =>
        [
            TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
            TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
            TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
            TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
            TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
            TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
            TlsCipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
            TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
        ];

    internal static Grammar<TlsConfig> Grammar { get; } =
        new RecordGrammar<TlsConfig>(static f =>
        {
            var d = new TlsConfig();
            var tls = new TlsConfig
            {
                MinVersion = f.Get("minVersion", Scalars.Choice([("1.2", TlsVersion.Tls12), ("1.3", TlsVersion.Tls13)]), d.MinVersion),
                CipherSuites = f.Get(
                    "cipherSuites",
                    new ListGrammar<TlsCipherSuite>(Scalars.Choice([.. Modern.Concat(Old).Select(s => (s.ToString(), s))]), minimum: 1),
                    d.CipherSuites
                ),
                Groups = f.Get(
                    "groups",
                    new ListGrammar<TlsGroup>(
                        Scalars.Choice([
                            ("x25519", TlsGroup.X25519),
                            ("p256", TlsGroup.P256),
                            ("p384", TlsGroup.P384),
                            ("p521", TlsGroup.P521),
                        ]),
                        minimum: 1
                    ),
                    d.Groups
                ),
            };
            if (f.IsReading && f.Has("cipherSuites") && !f.HasFailed("cipherSuites"))
                CheckSuites(f, tls);
            return tls;
        });

    /// <summary>Whether a suite is allowed in HTTP/2.</summary>
    internal static bool IsOld(TlsCipherSuite suite) => Old.Contains(suite);

    /// <summary>Whether the suites of TLS 1.3 are the default ones.</summary>
    internal static bool HasUsualSuitesOf13(TlsConfig tls) => Modern.Where(IsOfTls13).All(s => tls.CipherSuites.Contains(s));

    private static bool IsOfTls13(TlsCipherSuite suite) => (int)suite >> 8 == 0x13;

    private static void CheckSuites(RecordFields f, TlsConfig tls)
    {
        if (!tls.CipherSuites.Any(IsOfTls13))
            f.Report(
                "bad-value",
                "cipherSuites",
                "none of these is a TLS 1.3 suite, and TLS 1.3 is always offered",
                "add `TLS_AES_128_GCM_SHA256`"
            );
        else if (tls.MinVersion == TlsVersion.Tls12 && tls.CipherSuites.All(IsOfTls13))
            f.Report("bad-value", "cipherSuites", "none of these is a TLS 1.2 suite", "add one, or write `minVersion: 1.3`");
    }
}
