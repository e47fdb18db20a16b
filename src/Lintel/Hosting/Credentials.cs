namespace Lintel.Hosting;

/// <summary>Tells by their names which values are credentials: those are never shown and never part of a hash.</summary>
internal static class Credentials
{
    private static readonly string[] Whole = ["authorization", "proxy-authorization", "cookie", "set-cookie", "key", "sig", "code"];

    private static readonly string[] Parts = ["token", "secret", "passw", "credential", "apikey", "api-key", "api_key", "signature", "session", "jwt"];

    /// <summary>Whether what stands under this name (a key, a header, a cookie, a query parameter) is to be kept to oneself.</summary>
    public static bool IsCredential(string name) =>
        Whole.Contains(name, StringComparer.OrdinalIgnoreCase) || Parts.Any(p => name.Contains(p, StringComparison.OrdinalIgnoreCase));
}
