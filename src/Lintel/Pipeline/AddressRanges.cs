using System.Buffers.Binary;
using System.Collections.Frozen;
using System.Net;
using System.Net.Sockets;

namespace Lintel.Pipeline;

/// <summary>Allowed and denied address ranges. The most specific range that contains an address decides.</summary>
/// <remarks>
/// One look-up for each prefix length that occurs, longest first. A list of 100 000 ranges costs no more than one of ten.
/// </remarks>
internal sealed class AddressRanges
{
    private readonly (int Length, FrozenDictionary<UInt128, bool> Admits)[] _ofVersion4;
    private readonly (int Length, FrozenDictionary<UInt128, bool> Admits)[] _ofVersion6;

    /// <param name="allow">Allowed addresses and CIDR ranges.</param>
    /// <param name="deny">Denied addresses and CIDR ranges. Of two equal ranges, the denied one applies.</param>
    public AddressRanges(IEnumerable<string> allow, IEnumerable<string> deny)
    {
        var all = allow.Select(a => (Range: Parse(a), Admits: true)).Concat(deny.Select(d => (Range: Parse(d), Admits: false))).ToList();
        _ofVersion4 = Index(all.Where(r => r.Range.Address.AddressFamily == AddressFamily.InterNetwork));
        _ofVersion6 = Index(all.Where(r => r.Range.Address.AddressFamily == AddressFamily.InterNetworkV6));
    }

    /// <summary>Whether the list is empty.</summary>
    public bool IsEmpty => _ofVersion4.Length == 0 && _ofVersion6.Length == 0;

    /// <summary>
    /// Whether the most specific range that contains the address allows it; <see langword="null"/> if no range contains it.
    /// </summary>
    public bool? Find(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        var number = Number(address);
        var bits = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        foreach (var (length, admits) in bits == 32 ? _ofVersion4 : _ofVersion6)
        {
            if (admits.TryGetValue(Prefix(number, bits, length), out var found))
                return found;
        }

        return null;
    }

    private static (int Length, FrozenDictionary<UInt128, bool> Admits)[] Index(
        IEnumerable<((IPAddress Address, int Length) Range, bool Admits)> ranges
    ) =>
        [
            .. from range in ranges
            group range by range.Range.Length into same
            orderby same.Key descending
            select (same.Key, same.GroupBy(r => Number(r.Range.Address)).ToFrozenDictionary(g => g.Key, g => g.All(r => r.Admits))),
        ];

    private static (IPAddress Address, int Length) Parse(string text)
    {
        if (!text.Contains('/'))
        {
            var single = IPAddress.Parse(text);
            single = single.IsIPv4MappedToIPv6 ? single.MapToIPv4() : single;
            return (single, single.AddressFamily == AddressFamily.InterNetwork ? 32 : 128);
        }

        var network = IPNetwork.Parse(text);
        var isMapped = network.BaseAddress.IsIPv4MappedToIPv6 && network.PrefixLength >= 96;
        return isMapped ? (network.BaseAddress.MapToIPv4(), network.PrefixLength - 96) : (network.BaseAddress, network.PrefixLength);
    }

    private static UInt128 Prefix(UInt128 number, int bits, int length) => length == 0 ? 0 : number >> (bits - length) << (bits - length);

    private static UInt128 Number(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var written);
        return written == 4 ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }
}
