using System.Security.Cryptography;
using System.Text;
using Lintel.Config.Reading;
using Lintel.Observability;

namespace Lintel.Hosting;

/// <summary>Computes a hash that shows whether two nodes, or two points in time, have the same configuration.</summary>
internal static class ConfigHash
{
    /// <summary>Maps with user-defined names as keys: a service called <c>tokens</c> is not a credential.</summary>
    private static readonly string[] Named = ["listeners", "services", "policies", "routes", "clients", "split"];

    /// <summary>
    /// Computes SHA-256 over the tree after overlays and expansion. The order of keys does not count, and credentials are left out: the
    /// hash of a weak one could be reversed.
    /// </summary>
    /// <returns><see langword="null"/> if there is no tree: the configuration was made in code.</returns>
    public static string? Of(MapNode root)
    {
        if (root.Entries.Count == 0)
            return null;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, root, isNamed: false);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, ConfigNode node, bool isNamed)
    {
        switch (node)
        {
            case MapNode map:
                hash.AppendData("{"u8);
                foreach (var entry in map.Entries.OrderBy(e => e.Key, StringComparer.Ordinal))
                {
                    Append(hash, entry.Key);
                    if (!isNamed && Secrets.IsSecret(entry.Key) && entry.Value is not MapNode)
                        hash.AppendData("?"u8);
                    else
                        Append(hash, entry.Value, Named.Contains(entry.Key, StringComparer.Ordinal));
                }

                hash.AppendData("}"u8);
                break;
            case ListNode list:
                hash.AppendData("["u8);
                foreach (var item in list.Items)
                    Append(hash, item, isNamed: false);
                hash.AppendData("]"u8);
                break;
            case ScalarNode scalar:
                hash.AppendData(scalar.IsNull ? "0"u8 : "="u8);
                Append(hash, scalar.IsNull ? "" : scalar.Text);
                break;
        }
    }

    /// <summary>Appends a text. Its length precedes it, so that no two trees have the same bytes.</summary>
    private static void Append(IncrementalHash hash, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[4];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
