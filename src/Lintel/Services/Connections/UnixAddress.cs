using System.Text;

namespace Lintel.Services.Connections;

/// <summary>
/// Instances on Unix sockets. Connections are made and kept by host and port: a socket's path stands for the host, in letters that a host
/// name may have.
/// </summary>
internal static class UnixAddress
{
    private const string Suffix = ".unix-socket.invalid";

    /// <summary>The longest label of a name, in whole bytes of two digits.</summary>
    private const int LabelLength = 62;

    /// <summary>A host name for a socket's path; <c>invalid</c> is the top-level domain that nobody has (RFC 6761 section 6.4).</summary>
    public static string ToHost(string path)
    {
        var digits = Convert.ToHexStringLower(Encoding.UTF8.GetBytes(path));
        return string.Join('.', digits.Chunk(LabelLength).Select(static c => new string(c))) + Suffix;
    }

    /// <summary>The socket's path that a host name stands for; <see langword="null"/> for any other host.</summary>
    public static string? ToPath(string host) =>
        host.EndsWith(Suffix, StringComparison.Ordinal)
            ? Encoding.UTF8.GetString(Convert.FromHexString(host[..^Suffix.Length].Replace(".", "", StringComparison.Ordinal)))
            : null;
}
