namespace Lintel.Policies.Session;

/// <summary>Where a browser may go after a login: never to another host.</summary>
internal static class ReturnUrl
{
    /// <summary>The longest: it travels in a cookie.</summary>
    public const int MaxLength = 1024;

    /// <summary>
    /// Whether browsers take a URL for a path of the same host (WHATWG URL): <c>//</c> and <c>/\</c> begin a host, and tabs and line
    /// breaks are removed before that is looked at.
    /// </summary>
    public static bool IsOwnPath(string url) =>
        url.Length is > 0 and <= MaxLength
        && url[0] == '/'
        && (url.Length == 1 || url[1] is not ('/' or '\\'))
        && url.All(static c => c is > ' ' and < '\x7f' and not '\\');
}
