using System.Net;
using System.Security.Cryptography;
using System.Text;
using Lintel.Config;
using Lintel.Control.AdminApi;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Lintel.Control;

/// <summary>Decides who is answered at the admin address.</summary>
/// <remarks>
/// With a token, who has it. Without one (on loopback only), whoever is on this machine, but for browsers that a foreign page sends: a page
/// whose name was made to point at 127.0.0.1 (DNS rebinding) shows itself by the <c>Host</c>, a page of another origin by the
/// <c>Origin</c>.
/// </remarks>
internal sealed class AdminGuard(GatewayConfig config)
{
    private readonly byte[]? _token = config.Admin.Token.Length > 0 ? Hash(config.Admin.Token) : null;
    private readonly string _host = config.Admin.Address.Host;

    /// <summary>Whether <c>/metrics</c> is there.</summary>
    public bool HasMetrics { get; } = config.Observability.Metrics.Prometheus;

    /// <summary>What is wrong with the request; <see langword="null"/> to answer it. May set headers.</summary>
    /// <param name="context">The request.</param>
    /// <param name="isOpen">Whether no token is asked for: probes carry none.</param>
    public Problem? Check(HttpContext context, bool isOpen)
    {
        var request = context.Request;
        if (_token is null)
        {
            if (request.Host.HasValue && !IsOurs(request.Host.Host))
                return Problems.MisdirectedHost;
            return
                request.Headers.Origin is [{ } origin, ..] && !origin.Equals($"http://{request.Host}", StringComparison.OrdinalIgnoreCase)
                ? Problems.CrossOrigin
                : null;
        }

        if (isOpen || IsToken(request.Headers.Authorization))
            return null;

        // RFC 6750 section 3.1: the error is named only to who tried.
        context.Response.Headers.WWWAuthenticate =
            request.Headers.Authorization.Count == 0
                ? "Bearer realm=\"lintel-admin\""
                : "Bearer realm=\"lintel-admin\", error=\"invalid_token\"";
        return Problems.Unauthorized;
    }

    /// <summary>Hashes have one length: how long the comparison takes tells nothing about the token.</summary>
    private bool IsToken(StringValues authorization)
    {
        const string Scheme = "Bearer ";
        var given =
            authorization is [{ } one] && one.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? one[Scheme.Length..].Trim() : "";
        return CryptographicOperations.FixedTimeEquals(Hash(given), _token);
    }

    /// <summary>A name that no one else's DNS can give away: loopback's, or the configured address.</summary>
    private bool IsOurs(string host)
    {
        var name = host.TrimEnd('.').Trim('[', ']');
        return name.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || name.Equals(_host, StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(name, out var address) && IPAddress.IsLoopback(address));
    }

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
