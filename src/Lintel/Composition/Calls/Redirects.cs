using Lintel.Pipeline;
using Lintel.Services;
using Microsoft.AspNetCore.Http;

namespace Lintel.Composition.Calls;

/// <summary>
/// Follows a service's redirect (RFC 9110 section 15.4) within the same service, never to another: a service must not choose the host that
/// the gateway calls, and the credentials that it sends.
/// </summary>
internal static class Redirects
{
    /// <summary>Returns the request for an answer's redirect.</summary>
    /// <param name="exchange">The client's request.</param>
    /// <param name="request">The request that was sent.</param>
    /// <param name="outcome">The outcome of the request.</param>
    /// <returns><see langword="null"/> if it is not a redirect, or one that is not followed.</returns>
    public static CallRequest? Next(Exchange exchange, CallRequest request, FetchOutcome outcome)
    {
        if (
            outcome is not { Answer: { Location: { } location } answer, Instance: { } instance }
            || MethodAfter(answer.Status, request) is not { } method
        )
            return null;
        var service = request.Service;
        var host = service.HostFor(instance, exchange.Host);
        if (
            !Uri.TryCreate(
                instance.Address.GetLeftPart(UriPartial.Authority) + instance.BasePath + request.Target,
                UriKind.Absolute,
                out var from
            ) || !Uri.TryCreate(from, location, out var to)
        )
            return null;
        if (to.Scheme is not ("http" or "https") || to.UserInfo.Length > 0 || TargetAt(to, service, instance, host) is not { } target)
            return null;
        var repeats = method == request.Method;
        return request with
        {
            Method = method,
            Target = target,
            Body = repeats ? request.Body : null,
            IfNoneMatch = null,
            AwaitedUntil = repeats ? request.AwaitedUntil : null,
        };
    }

    /// <summary>
    /// Returns the method of the redirected request. A 303 leads from a performed action to its description; 301 and 302 are ambiguous, and
    /// are followed for safe methods only.
    /// </summary>
    private static string? MethodAfter(int status, CallRequest request) =>
        status switch
        {
            307 or 308 => request.Method,
            301 or 302 when request.IsSafe => request.Method,
            303 => request.IsSafe ? request.Method : "GET",
            _ => null,
        };

    /// <summary>
    /// Returns path and query relative to the instance's base path; <see langword="null"/> if the location is not part of the service.
    /// </summary>
    private static string? TargetAt(Uri to, Service service, Instance instance, string host)
    {
        var of = Array.Find(service.Instances.All, i =>
            i.Address.Scheme == to.Scheme && i.Authority.Equals(to.Authority, StringComparison.OrdinalIgnoreCase)
        );
        if (of is null && !IsHost(to, host))
            return null;
        var basePath = (of ?? instance).BasePath;
        var path = to.GetComponents(UriComponents.Path | UriComponents.KeepDelimiter, UriFormat.UriEscaped);
        if (!path.StartsWith(basePath, StringComparison.Ordinal) || (path.Length > basePath.Length && path[basePath.Length] != '/'))
            return null;
        var below = path[basePath.Length..];
        return (below.Length == 0 ? "/" : below)
            + to.GetComponents(UriComponents.Query | UriComponents.KeepDelimiter, UriFormat.UriEscaped);
    }

    /// <summary>Whether a location names the host that the request was sent to.</summary>
    private static bool IsHost(Uri to, string host)
    {
        var asked = new HostString(host);
        return asked.HasValue
            && asked.Host.Equals(to.Host, StringComparison.OrdinalIgnoreCase)
            && (asked.Port ?? (to.Scheme == "https" ? 443 : 80)) == to.Port;
    }
}
