using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Lintel.Config;
using Lintel.Pipeline;
using Lintel.Routing;

namespace Lintel.Services.Balancing;

/// <summary>Keeps clients on an instance by a cookie that names it.</summary>
/// <remarks>
/// The name is a token: the first 128 bits of the HMAC-SHA256 of the instance's address. Nobody learns the address from it, and nobody
/// without the key can name an instance that has not answered him.
/// </remarks>
internal sealed class Affinity
{
    private const int TokenLength = 32; // 128 bits in hexadecimal

    private readonly AffinityConfig _config;
    private readonly byte[] _key;
    private readonly string _lifetime;

    /// <param name="config">The configuration.</param>
    /// <param name="processKey">The key of this process, if the configuration has none.</param>
    public Affinity(AffinityConfig config, byte[] processKey)
    {
        _config = config;
        _key = config.Key is { } key ? Encoding.UTF8.GetBytes(key) : processKey;
        _lifetime = config.Lifetime is { } time ? string.Create(CultureInfo.InvariantCulture, $"; Max-Age={(long)time.TotalSeconds}") : "";
    }

    /// <summary>The cookie's name, which is not forwarded to the service.</summary>
    public string Cookie => _config.Cookie;

    /// <summary>The token of an instance; never 0.</summary>
    public UInt128 TokenOf(Instance instance)
    {
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(instance.Name), hash);
        var token = BinaryPrimitives.ReadUInt128BigEndian(hash);
        return token == 0 ? 1 : token;
    }

    /// <summary>The token in the request's cookie; 0 if there is none, or it is no token.</summary>
    public UInt128 PinOf(Exchange exchange) =>
        RequestCookies.TryFind(exchange.Request.Headers.Cookie, _config.Cookie, out var text)
        && text.Length == TokenLength
        && UInt128.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var token)
            ? token
            : 0;

    /// <summary>The value of the <c>Set-Cookie</c> that pins a client.</summary>
    public string Render(UInt128 token, bool isHttps) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{_config.Cookie}={token:x32}; Path=/{_lifetime}; HttpOnly; SameSite=Lax{(isHttps ? "; Secure" : "")}"
        );
}
