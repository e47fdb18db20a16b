using System.Text.Json.Nodes;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>Where the public keys of an issuer are: in a file, or at an address.</summary>
public sealed record KeySetLocation
{
    private KeySetLocation(string? file, Uri? address) => (File, Address) = (file, address);

    /// <summary>
    /// A file with a JWK set (RFC 7517), or with public keys or certificates in PEM; <see langword="null"/> for an address.
    /// </summary>
    public string? File { get; }

    /// <summary>The address of a JWK set; <see langword="null"/> for a file.</summary>
    public Uri? Address { get; }

    internal static Grammar<KeySetLocation> Grammar { get; } = new FileOrAddress();

    /// <summary>The keys are in a file.</summary>
    /// <param name="path">Its path.</param>
    public static KeySetLocation InFile(string path) => new(path ?? throw new ArgumentNullException(nameof(path)), null);

    /// <summary>The keys are at an address.</summary>
    /// <param name="address">An <c>http</c> or <c>https</c> URL.</param>
    public static KeySetLocation At(Uri address) => new(null, address ?? throw new ArgumentNullException(nameof(address)));

    private sealed class FileOrAddress : Grammar<KeySetLocation>
    {
        public override bool TryRead(ConfigNode node, KeyPath path, ConfigReport report, out KeySetLocation value)
        {
            value = null!;
            if (node is ScalarNode { IsNull: false } scalar && scalar.Text.Contains("://", StringComparison.Ordinal))
            {
                if (ProviderConfig.AddressGrammar.TryRead(node, path, report, out var address))
                    value = At(address);
            }
            else if (Scalars.FilePath.TryRead(node, path, report, out var file))
            {
                value = InFile(file);
            }

            return value is not null;
        }

        public override JsonObject Describe(SchemaDefinitions definitions) => new() { ["type"] = "string" };
    }
}
