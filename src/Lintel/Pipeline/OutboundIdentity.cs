using Microsoft.Extensions.Primitives;

namespace Lintel.Pipeline;

/// <summary>How services get to know the caller: what they receive of its credentials, and what the gateway says about it.</summary>
/// <remarks>Set once in phase 2, and applied to every request that is sent for the client's: forwarded, composed, mirrored.</remarks>
internal sealed class OutboundIdentity
{
    private readonly HashSet<string> _removed = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<KeyValuePair<string, string>> _added = [];
    private List<string>? _cookies;
    private List<string>? _parameters;

    /// <summary>Cookies that services do not receive.</summary>
    public IReadOnlyList<string> RemovedCookies => _cookies ?? [];

    /// <summary>Query parameters that services do not receive.</summary>
    public IReadOnlyList<string> RemovedParameters => _parameters ?? [];

    /// <summary>
    /// Keeps a header from services: what the client sends in it, or in the trailer of its name, and what another policy has set.
    /// </summary>
    public void Remove(string header)
    {
        _removed.Add(Fold(header));
        _added.RemoveAll(h => h.Key.Equals(header, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Keeps a cookie from services.</summary>
    public void RemoveCookie(string name) => (_cookies ??= []).Add(name);

    /// <summary>Keeps a query parameter from services.</summary>
    public void RemoveParameter(string name) => (_parameters ??= []).Add(name);

    /// <summary>Sets a header. What the client sends under this name does not reach services.</summary>
    public void Set(string header, string value)
    {
        Remove(header);
        _added.Add(new(header, value));
    }

    /// <summary>
    /// Whether a field of the client is kept from services. Services behind CGI, WSGI or PHP cannot distinguish <c>_</c> from <c>-</c>, so
    /// either spelling counts.
    /// </summary>
    public bool Removes(string name) => _removed.Contains(Fold(name));

    /// <summary>Adds the gateway's headers to those of a request to a service.</summary>
    /// <param name="headers">The headers.</param>
    /// <param name="isReplaced">Whether the route itself sets or removes a header.</param>
    public void AddTo(List<KeyValuePair<string, StringValues>> headers, Func<string, bool>? isReplaced = null)
    {
        foreach (var (name, value) in _added)
        {
            if (isReplaced?.Invoke(name) != true)
                headers.Add(new(name, value));
        }
    }

    private static string Fold(string name) => name.Contains('_') ? name.Replace('_', '-') : name;
}
