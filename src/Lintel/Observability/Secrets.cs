using System.Collections.Frozen;

namespace Lintel.Observability;

/// <summary>The list of names of secrets: logs, traces, the admin API and explanations hide their values.</summary>
internal static class Secrets
{
    /// <summary>Longer than any name worth listing.</summary>
    public const int MaxName = 128;

    /// <summary>Headers whose values are secrets.</summary>
    public static readonly string[] Headers =
    [
        "Authorization",
        "Proxy-Authorization",
        "Authentication-Info",
        "Proxy-Authentication-Info",
        "WWW-Authenticate",
        "Proxy-Authenticate",
        "Cookie",
        "Set-Cookie",
        "X-Api-Key",
        "Api-Key",
        "ApiKey",
        "X-Auth-Token",
        "X-Access-Token",
        "X-Session-Token",
        "X-Amz-Security-Token",
        "X-Goog-Api-Key",
        "Ocp-Apim-Subscription-Key",
        "X-Csrf-Token",
        "X-Xsrf-Token",
        "X-Vault-Token",
        "X-Gitlab-Token",
        "Private-Token",
        "X-Hub-Signature",
        "X-Hub-Signature-256",
        "X-Signature",
        "Signature",
        "DPoP",
        "Client-Cert",
        "Client-Cert-Chain",
        "Sec-WebSocket-Protocol",
        "X-Forwarded-Client-Cert",
        "X-Forwarded-Access-Token",
    ];

    /// <summary>Parameters, cookies and keys whose values are secrets, as <see cref="Canonical"/> writes them.</summary>
    public static readonly string[] Parameters =
    [
        "accesstoken",
        "idtoken",
        "refreshtoken",
        "authtoken",
        "sessiontoken",
        "securitytoken",
        "csrftoken",
        "xsrftoken",
        "usertoken",
        "bearertoken",
        "resettoken",
        "token",
        "jwt",
        "bearer",
        "apikey",
        "xapikey",
        "apisecret",
        "accesskey",
        "secretkey",
        "privatekey",
        "subscriptionkey",
        "key",
        "awsaccesskeyid",
        "secret",
        "clientsecret",
        "appsecret",
        "password",
        "passwd",
        "pwd",
        "pass",
        "passphrase",
        "passcode",
        "newpassword",
        "oldpassword",
        "currentpassword",
        "confirmpassword",
        "passwordconfirmation",
        "userpassword",
        "code",
        "devicecode",
        "usercode",
        "authcode",
        "codeverifier",
        "assertion",
        "clientassertion",
        "subjecttoken",
        "actortoken",
        "idtokenhint",
        "logintoken",
        "samlresponse",
        "samlrequest",
        "signature",
        "sig",
        "hmac",
        "xamzsignature",
        "xamzsecuritytoken",
        "xamzcredential",
        "xgoogsignature",
        "xgoogcredential",
        "authorization",
        "auth",
        "credential",
        "credentials",
        "session",
        "sessionid",
        "sid",
        "jsessionid",
        "phpsessid",
        "ticket",
        "otp",
        "pin",
    ];

    /// <summary>
    /// Words that suggest that a name is the name of a secret. Used where the configuration is shown, where hiding too much has no cost;
    /// logs use the lists.
    /// </summary>
    private static readonly string[] Parts = ["token", "secret", "passw", "credential", "apikey", "signature", "session", "jwt"];

    private static readonly FrozenSet<string> HeaderNames = Headers.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> ParameterNames = Parameters
        .ToFrozenSet(StringComparer.Ordinal)
        .GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>
    /// Whether the value of this name (a key, a header, a cookie, a query parameter) is never shown, and never part of a hash.
    /// </summary>
    public static bool IsSecret(string name)
    {
        if (HeaderNames.Contains(name))
            return true;
        Span<char> buffer = stackalloc char[MaxName];
        var canonical = Canonical(name, buffer);
        if (canonical.IsEmpty || ParameterNames.Contains(canonical))
            return true;
        foreach (var part in Parts)
        {
            if (canonical.Contains(part, StringComparison.Ordinal))
                return true;
        }

        return canonical.EndsWith("key", StringComparison.Ordinal) || canonical.EndsWith("auth", StringComparison.Ordinal);
    }

    /// <summary>The letters and digits of a name in lower case. Empty for names that are too long to be listed.</summary>
    public static ReadOnlySpan<char> Canonical(ReadOnlySpan<char> name, Span<char> buffer)
    {
        var length = 0;
        foreach (var c in name)
        {
            // Servers that fold case or width by Unicode's rules read these as the ASCII letters.
            var letter = c switch
            {
                '\u017f' => 's',
                '\u212a' => 'k',
                '\u0130' or '\u0131' => 'i',
                >= '\uff01' and <= '\uff5e' => (char)(c - 0xfee0),
                _ => c,
            };
            if (!char.IsLetterOrDigit(letter))
                continue;
            if (length == buffer.Length)
                return [];
            buffer[length++] = char.ToLowerInvariant(letter);
        }

        return buffer[..length];
    }
}
