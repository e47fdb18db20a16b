using System.Globalization;
using System.Text;
using Lintel.Pipeline;
using Microsoft.AspNetCore.DataProtection;

namespace Lintel.Policies.Session;

/// <summary>The cookies of a policy: that of the session, and those of logins that are under way.</summary>
/// <remarks>
/// With https their names begin with <c>__Host-</c> (RFC 6265bis section 4.1.3.2): neither a sibling subdomain nor a plain connection can
/// set them. They are <c>SameSite=Lax</c>: a stricter cookie would be missing when the provider, or a link, leads into the application,
/// whose user would then have to log in again; <see cref="BrowserRequest"/> covers what that leaves open.
/// </remarks>
/// <param name="name">The last part of the name.</param>
/// <param name="protector">Protects logins that are under way.</param>
/// <param name="time">The clock.</param>
internal sealed class SessionCookies(string name, Func<IDataProtector> protector, TimeProvider time)
{
    /// <summary>Time for a person to log in, with a second factor and a forgotten password.</summary>
    private static readonly TimeSpan LoginLifetime = TimeSpan.FromMinutes(15);

    private readonly string _plain = "lintel-" + name;
    private readonly string _secure = "__Host-lintel-" + name;

    /// <summary>The names for both schemes. Those of logins follow after a dot.</summary>
    public IEnumerable<string> Names => [_plain, _secure];

    /// <summary>The session's identifier; <see langword="null"/> for none.</summary>
    public string? FindSession(Exchange exchange) => exchange.Cookie(NameOf(exchange));

    /// <remarks>Without <c>Max-Age</c>: the store knows when the session ends, and the cookie ends with the browser.</remarks>
    public void SetSession(Exchange exchange, string id) => Append(exchange, NameOf(exchange), id, "");

    public void DeleteSession(Exchange exchange) => Delete(exchange, NameOf(exchange));

    /// <summary>Leaves a login with the browser that has begun it.</summary>
    public void SetLogin(Exchange exchange, PendingLogin login)
    {
        var ends = time.GetUtcNow() + LoginLifetime;
        var text = string.Join(
            '\n',
            ends.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            login.State,
            login.Nonce,
            login.Verifier,
            login.RedirectUri,
            login.ReturnUrl
        );
        var age = "; Max-Age=" + ((int)LoginLifetime.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        Append(exchange, LoginName(exchange, login.State), Convert.ToBase64String(protector().Protect(Encoding.UTF8.GetBytes(text))), age);
    }

    /// <summary>Takes the login of a state, if this browser has begun it: it cannot be used again.</summary>
    public PendingLogin? TakeLogin(Exchange exchange, string state)
    {
        if (state.Length != SessionStore.IdLength)
            return null;
        var cookie = LoginName(exchange, state);
        if (exchange.Cookie(cookie) is not { } value)
            return null;
        Delete(exchange, cookie);
        try
        {
            var parts = Encoding.UTF8.GetString(protector().Unprotect(Convert.FromBase64String(value))).Split('\n');
            var ends = DateTimeOffset.FromUnixTimeSeconds(long.Parse(parts[0], CultureInfo.InvariantCulture));
            var login = new PendingLogin(parts[1], parts[2], parts[3], parts[4], parts[5]);
            return login.State == state && ends > time.GetUtcNow() ? login : null;
        }
        catch (Exception e) when (e is FormatException or System.Security.Cryptography.CryptographicException)
        {
            return null; // another process has made it, or nobody
        }
    }

    /// <summary>The name for the scheme of a request.</summary>
    public string NameOf(Exchange exchange) => exchange.IsHttps ? _secure : _plain;

    /// <summary>
    /// One of eight: several tabs can log in at a time, and logins that are never completed do not fill the heads of requests.
    /// </summary>
    private string LoginName(Exchange exchange, string state) => $"{NameOf(exchange)}.{(char)('0' + (state[0] & 7))}";

    private static void Append(Exchange exchange, string name, string value, string more) =>
        exchange.AppendResponseField(
            "Set-Cookie",
            $"{name}={value}; Path=/{more}{(exchange.IsHttps ? "; Secure" : "")}; HttpOnly; SameSite=Lax"
        );

    private static void Delete(Exchange exchange, string name) => Append(exchange, name, "", "; Max-Age=0");
}

/// <summary>A login that is under way.</summary>
/// <param name="State">Tells the browser's answer from the provider apart.</param>
/// <param name="Nonce">What the ID token must contain.</param>
/// <param name="Verifier">The secret of PKCE (RFC 7636).</param>
/// <param name="RedirectUri">Where the provider sends the browser.</param>
/// <param name="ReturnUrl">Where the browser goes afterwards.</param>
internal sealed record PendingLogin(string State, string Nonce, string Verifier, string RedirectUri, string ReturnUrl)
{
    /// <summary>Discloses nothing.</summary>
    public override string ToString() => nameof(PendingLogin);
}
