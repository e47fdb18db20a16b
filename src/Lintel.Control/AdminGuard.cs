using System.Net;
using System.Security.Cryptography;
using System.Text;
using Lintel.Config;
using Lintel.Control.AdminApi;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Lintel.Control;

/// <summary>Authorizes requests at the admin address.</summary>
/// <remarks>
/// With a token, its bearer is authorized. Without one (on loopback only), any local caller is, except for browsers with requests from
/// foreign pages: a page with a name that resolves to 127.0.0.1 (DNS rebinding) is detected by <c>Host</c>, a page of another origin by
/// <c>Origin</c>.
/// </remarks>
internal sealed class AdminGuard(GatewayConfig config)
{
    private readonly byte[]? _token = config.Admin.Token.Length > 0 ? Hash(config.Admin.Token) : null;
    private readonly string _host = config.Admin.Address.Host;

    /// <summary>Whether <c>/metrics</c> exists.</summary>
    public bool HasMetrics { get; } = config.Observability.Metrics.Prometheus;

    /// <summary>Returns the problem of the request; <see langword="null"/> to answer it. May set headers.</summary>
    /// <param name="context">The request.</param>
    /// <param name="isOpen">Whether no token is required: probes have none.</param>
    public Problem? Check(HttpContext context, bool isOpen)
    {
        var request = context.Request;
        if (_token is null)
        {
            if (request.Host.HasValue && !IsOwnHost(request.Host.Host))
                return Problems.MisdirectedHost;
            return
                request.Headers.Origin is [{ } origin, ..] && !origin.Equals($"http://{request.Host}", StringComparison.OrdinalIgnoreCase)
                ? Problems.CrossOrigin
                : null;
        }

        if (isOpen || IsToken(request.Headers.Authorization))
            return null;

        // RFC 6750 section 3.1: the error is included only if the request had credentials.
        context.Response.Headers.WWWAuthenticate =
            request.Headers.Authorization.Count == 0
                ? "Bearer realm=\"lintel-admin\""
                : "Bearer realm=\"lintel-admin\", error=\"invalid_token\"";
        return Problems.Unauthorized;
    }

    /// <summary>
    /// Whether the token is correct. Hashes have one length: the duration of the comparison reveals nothing about the token.
    /// </summary>
    private bool IsToken(StringValues authorization)
    {
        const string Scheme = "Bearer ";
        var given =
            authorization is [{ } one] && one.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? one[Scheme.Length..].Trim() : "";
        return CryptographicOperations.FixedTimeEquals(Hash(given), _token);
    }

    /// <summary>Whether the host is a name that no foreign DNS can define: loopback, or the configured address.</summary>
    private bool IsOwnHost(string host)
    {
        var name = host.TrimEnd('.').Trim('[', ']');
        return name.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || name.Equals(_host, StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(name, out var address) && IPAddress.IsLoopback(address));
    }

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
