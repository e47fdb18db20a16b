using System.Buffers;
using System.Buffers.Binary;

namespace Lintel.Listeners.Handshakes;

/// <summary>What a client offers in its first message (RFC 8446 section 4.1.2), as far as the gateway decides by it.</summary>
/// <param name="Groups">The supported groups; <see langword="null"/> if there is no such extension.</param>
/// <param name="Shares">For which it has sent a share already, in its order.</param>
/// <param name="OffersTls13">Whether it knows TLS 1.3 (supported_versions, RFC 8446 section 4.2.1).</param>
internal sealed record ClientHello(ushort[]? Groups, ushort[] Shares, bool OffersTls13)
{
    /// <summary>
    /// Hellos have some 250 to 2000 bytes; the largest known, with a post-quantum share, a long session ticket and padding, stay below 10
    /// 000.
    /// </summary>
    public const int MaxLength = 16 * 1024;

    private const byte Handshake = 22;
    private const byte Hello = 1;
    private const int SupportedGroups = 10;
    private const int SupportedVersions = 43;
    private const int KeyShare = 51;
    private const ushort Tls13 = 0x0304;

    /// <summary>Reads the hello at the beginning of a connection.</summary>
    /// <returns>
    /// True with a ClientHello, or with <see langword="null"/> if the bytes are not TLS, which is left to the TLS implementation. False if
    /// more bytes are needed.
    /// </returns>
    /// <exception cref="FormatException">It is malformed, or too long.</exception>
    public static bool TryRead(in ReadOnlySequence<byte> buffer, out ClientHello? hello)
    {
        hello = null;
        if (buffer.IsEmpty)
            return false;
        if (buffer.FirstSpan[0] != Handshake)
            return true;
        var bytes = buffer.Slice(0, Math.Min(buffer.Length, MaxLength)).ToArray();
        if (Message(bytes) is { } message)
        {
            hello = Parse(message);
            return true;
        }

        return buffer.Length < MaxLength ? false : throw new FormatException("the ClientHello is too long");
    }

    /// <summary>
    /// Whether the key exchange will use one of these groups, regardless of OpenSSL's selection: the first supported key share, or the
    /// first common group.
    /// </summary>
    public bool Allows(ReadOnlySpan<ushort> allowed)
    {
        if (Groups is null)
            return Shares.Length == 0; // an old client, which takes P-256
        if (!Groups.AsSpan().ContainsAny(allowed))
            return false;
        foreach (var share in Shares)
        {
            if (!IsPassedOver(share))
                return allowed.Contains(share);
        }

        return true;
    }

    /// <summary>Numbers that mean nothing (RFC 8701), and hybrids with ML-KEM, which older versions of OpenSSL do not know.</summary>
    private static bool IsPassedOver(ushort group) =>
        ((group & 0x0f0f) == 0x0a0a && group >> 8 == (group & 0xff)) || group is >= 0x11eb and <= 0x11ed or 0x6399 or 0x639a;

    /// <summary>The handshake message, assembled from its records; <see langword="null"/> if it is incomplete.</summary>
    private static byte[]? Message(ReadOnlySpan<byte> bytes)
    {
        var message = new ArrayBufferWriter<byte>(bytes.Length);
        while (bytes.Length >= 5)
        {
            if (bytes[0] != Handshake)
                throw new FormatException("the ClientHello contains a record that is not a handshake");
            var length = BinaryPrimitives.ReadUInt16BigEndian(bytes[3..]);
            if (length == 0)
                throw new FormatException("a record is empty");
            bytes = bytes[5..];
            message.Write(bytes[..Math.Min(length, bytes.Length)]);
            bytes = bytes[Math.Min(length, bytes.Length)..];
            if (message.WrittenCount < 4)
                continue;
            var written = message.WrittenSpan;
            if (written[0] != Hello)
                throw new FormatException("the first message is not a ClientHello");
            var whole = 4 + ((written[1] << 16) | BinaryPrimitives.ReadUInt16BigEndian(written[2..]));
            if (message.WrittenCount >= whole)
                return written[4..whole].ToArray();
            if (whole > MaxLength)
                throw new FormatException("the ClientHello is too long");
        }

        return null;
    }

    private static ClientHello Parse(ReadOnlySpan<byte> rest)
    {
        ushort[]? groups = null;
        ushort[] shares = [];
        var offersTls13 = false;
        Take(ref rest, 2 + 32); // version and random
        Take(ref rest, Length8(ref rest)); // session
        Take(ref rest, Length16(ref rest)); // suites
        Take(ref rest, Length8(ref rest)); // compression
        if (rest.IsEmpty)
            return new ClientHello(null, [], OffersTls13: false);
        var extensions = Take(ref rest, Length16(ref rest));
        while (!extensions.IsEmpty)
        {
            var type = Length16(ref extensions);
            var content = Take(ref extensions, Length16(ref extensions));
            if (type == SupportedGroups)
                groups = Numbers(Take(ref content, Length16(ref content)), hasKeys: false);
            else if (type == SupportedVersions)
                offersTls13 = Numbers(Take(ref content, Length8(ref content)), hasKeys: false).Contains(Tls13);
            else if (type == KeyShare)
                shares = Numbers(Take(ref content, Length16(ref content)), hasKeys: true);
        }

        return new ClientHello(groups, shares, offersTls13);
    }

    private static ushort[] Numbers(ReadOnlySpan<byte> list, bool hasKeys)
    {
        var numbers = new List<ushort>();
        while (!list.IsEmpty)
        {
            numbers.Add((ushort)Length16(ref list));
            if (hasKeys)
                Take(ref list, Length16(ref list));
        }

        return [.. numbers];
    }

    private static int Length8(ref ReadOnlySpan<byte> rest) => Take(ref rest, 1)[0];

    private static int Length16(ref ReadOnlySpan<byte> rest) => BinaryPrimitives.ReadUInt16BigEndian(Take(ref rest, 2));

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> rest, int count)
    {
        if (count > rest.Length)
            throw new FormatException("the ClientHello ends within a field");
        var taken = rest[..count];
        rest = rest[count..];
        return taken;
    }
}
