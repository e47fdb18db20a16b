using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Text;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Connections;

namespace Lintel.Listeners;

/// <summary>
/// Reads the PROXY protocol header, in which a load balancer sends the client address
/// (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt).
/// </summary>
/// <remarks>
/// From a trusted address the header must be there: without it the client's address would be the balancer's, and rules by address would hit
/// everybody.
/// </remarks>
internal sealed class ProxyProtocol(TrustedProxies trusted, TimeSpan timeout, TimeProvider time)
{
    /// <summary>Section 2.1: the longest header of version 1, with its line end.</summary>
    private const int MaxTextLength = 107;

    /// <summary>The maximum size: addresses and some extensions. The protocol allows 64 KiB, which is never used in practice.</summary>
    private const int MaxBinaryLength = 4096;

    private static ReadOnlySpan<byte> Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    /// <summary>The step of a connection before TLS and HTTP.</summary>
    public ConnectionDelegate Use(ConnectionDelegate next) =>
        async connection =>
        {
            if (trusted.Trusts((connection.RemoteEndPoint as IPEndPoint)?.Address))
            {
                using var deadline = new CancellationTokenSource(timeout, time);
                if (!await TryReadAsync(connection, deadline.Token).ConfigureAwait(false))
                    return; // no answer: whoever sent this speaks neither the one protocol nor, so far, the other
            }

            await next(connection).ConfigureAwait(false);
        };

    /// <summary>Reads one header from the beginning of the bytes.</summary>
    /// <param name="buffer">The data received so far.</param>
    /// <param name="consumed">Behind the header.</param>
    /// <param name="client">The client address; <see langword="null"/> if the load balancer connects on its own behalf.</param>
    /// <returns>Whether there is a header; <see langword="null"/> when more bytes are needed.</returns>
    internal static bool? Read(in ReadOnlySequence<byte> buffer, out SequencePosition consumed, out IPEndPoint? client)
    {
        consumed = buffer.Start;
        client = null;
        if (buffer.IsEmpty)
            return null;
        var bytes = buffer.Slice(0, Math.Min(buffer.Length, 16 + MaxBinaryLength)).ToArray().AsSpan();
        var result = bytes[0] == 'P' ? ReadText(bytes, out var length, out client) : ReadBinary(bytes, out length, out client);
        if (result is true)
            consumed = buffer.GetPosition(length);
        return result;
    }

    private static async Task<bool> TryReadAsync(ConnectionContext connection, CancellationToken cancellation)
    {
        var input = connection.Transport.Input;
        try
        {
            while (true)
            {
                var read = await input.ReadAsync(cancellation).ConfigureAwait(false);
                var found = Read(read.Buffer, out var consumed, out var client);
                input.AdvanceTo(consumed, found is true ? consumed : read.Buffer.End);
                if (found is true && client is not null)
                    connection.RemoteEndPoint = client;
                if (found is not null)
                    return found.Value;
                if (read.IsCompleted)
                    return false;
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            return false;
        }
    }

    /// <summary><c>PROXY TCP4 192.0.2.7 192.0.2.1 56324 443</c>.</summary>
    private static bool? ReadText(ReadOnlySpan<byte> bytes, out int length, out IPEndPoint? client)
    {
        client = null;
        length = bytes.IndexOf("\r\n"u8) + 2;
        if (length < 2)
            return bytes.Length < MaxTextLength && StartsLike(bytes, "PROXY "u8) ? null : false;
        if (length > MaxTextLength)
            return false;
        var words = Encoding.Latin1.GetString(bytes[..(length - 2)]).Split(' ');
        if (words is ["PROXY", "UNKNOWN", ..])
            return true;
        if (words is not ["PROXY", "TCP4" or "TCP6", var source, var destination, var sourcePort, var destinationPort])
            return false;
        var family = words[1] == "TCP4" ? System.Net.Sockets.AddressFamily.InterNetwork : System.Net.Sockets.AddressFamily.InterNetworkV6;
        if (
            !IPAddress.TryParse(source, out var address)
            || address.AddressFamily != family
            || !IPAddress.TryParse(destination, out _)
            || !ushort.TryParse(
                sourcePort,
                System.Globalization.NumberStyles.None,
                System.Globalization.CultureInfo.InvariantCulture,
                out var port
            )
            || !ushort.TryParse(
                destinationPort,
                System.Globalization.NumberStyles.None,
                System.Globalization.CultureInfo.InvariantCulture,
                out _
            )
        )
            return false;
        client = new IPEndPoint(address, port);
        return true;
    }

    /// <summary>Section 2.2: signature, version and command, family and transport, length, addresses, extensions.</summary>
    private static bool? ReadBinary(ReadOnlySpan<byte> bytes, out int length, out IPEndPoint? client)
    {
        client = null;
        length = 0;
        if (!StartsLike(bytes, Signature))
            return false;
        if (bytes.Length < 16)
            return null;
        var command = bytes[12];
        var family = bytes[13];
        var rest = BinaryPrimitives.ReadUInt16BigEndian(bytes[14..]);
        if (command is not (0x20 or 0x21) || rest > MaxBinaryLength)
            return false;
        length = 16 + rest;
        if (bytes.Length < length)
            return null;
        var addresses = bytes[16..length];
        if (command == 0x20) // LOCAL: the balancer's own health check
            return true;
        switch (family)
        {
            case 0x11 when rest >= 12:
                client = new IPEndPoint(new IPAddress(addresses[..4]), BinaryPrimitives.ReadUInt16BigEndian(addresses[8..]));
                return true;
            case 0x21 when rest >= 36:
                client = new IPEndPoint(new IPAddress(addresses[..16]), BinaryPrimitives.ReadUInt16BigEndian(addresses[32..]));
                return true;
            case 0x11 or 0x21:
                return false;
            default: // unspecified, datagrams or Unix sockets: the connection's own address stays
                return true;
        }
    }

    private static bool StartsLike(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> prefix)
    {
        var common = Math.Min(bytes.Length, prefix.Length);
        return bytes[..common].SequenceEqual(prefix[..common]);
    }
}
