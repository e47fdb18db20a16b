using System.Text;

namespace Lintel.Services.Connections;

/// <summary>
/// Instances on Unix sockets. Connections are established and pooled by host and port, so a socket's path is encoded as a host name.
/// </summary>
internal static class UnixAddress
{
    private const string Suffix = ".unix-socket.invalid";

    /// <summary>The longest label of a name, in whole bytes of two digits.</summary>
    private const int LabelLength = 62;

    /// <summary>The host name of a socket's path; the top-level domain <c>invalid</c> is reserved (RFC 6761 section 6.4).</summary>
    public static string ToHost(string path)
    {
        var digits = Convert.ToHexStringLower(Encoding.UTF8.GetBytes(path));
        return string.Join('.', digits.Chunk(LabelLength).Select(static c => new string(c))) + Suffix;
    }

    /// <summary>The socket's path of a host name; <see langword="null"/> for any other host.</summary>
    public static string? ToPath(string host) =>
        host.EndsWith(Suffix, StringComparison.Ordinal)
            ? Encoding.UTF8.GetString(Convert.FromHexString(host[..^Suffix.Length].Replace(".", "", StringComparison.Ordinal)))
            : null;
}
