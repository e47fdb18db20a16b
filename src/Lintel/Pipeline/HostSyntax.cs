using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lintel.Pipeline;

/// <summary>Syntax of <c>Host</c> and <c>:authority</c>, the same for all versions of HTTP.</summary>
internal static class HostSyntax
{
    /// <summary>A name has at most 255 characters (RFC 1035 section 2.3.4), a port five digits.</summary>
    private const int MaxLength = 300;

    private static readonly SearchValues<byte> Name = SearchValues.Create(
        "-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8
    );

    /// <summary>
    /// Whether a value is a valid host (RFC 3986 section 3.2.2, without userinfo): a name without empty labels, an IPv4 address or an IPv6
    /// address in brackets, and a port.
    /// </summary>
    public static bool IsHost(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty || value.Length > MaxLength)
            return false;
        ReadOnlySpan<byte> port;
        if (value[0] == '[')
        {
            var end = value.IndexOf((byte)']');
            if (
                end < 0
                || !IPAddress.TryParse(Encoding.ASCII.GetString(value[1..end]), out var address)
                || address.AddressFamily != AddressFamily.InterNetworkV6
                || value[1..end].Contains((byte)'%')
            )
                return false;
            port = value[(end + 1)..];
        }
        else
        {
            var colon = value.IndexOf((byte)':');
            var name = colon < 0 ? value : value[..colon];
            if (name.IsEmpty || name.ContainsAnyExcept(Name) || name[0] == '.' || name.IndexOf(".."u8) >= 0)
                return false;
            port = value[name.Length..];
        }

        return port.IsEmpty
            || (
                port[0] == ':'
                && port.Length is > 1 and <= 6
                && !port[1..].ContainsAnyExceptInRange((byte)'0', (byte)'9')
                && int.Parse(port[1..], CultureInfo.InvariantCulture) <= 65535
            );
    }

    /// <summary>The same check for text.</summary>
    public static bool IsHost(string value)
    {
        if (value.Length > MaxLength || !Ascii.IsValid(value))
            return false;
        Span<byte> bytes = stackalloc byte[MaxLength];
        return IsHost(bytes[..Encoding.ASCII.GetBytes(value, bytes)]);
    }
}
