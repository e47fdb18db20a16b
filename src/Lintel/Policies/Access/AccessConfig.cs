using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Policies.Access;

/// <summary>
/// Admits or refuses clients by their address. The narrowest range that holds the address decides; of two equal ones, <see cref="Deny"/>.
/// </summary>
/// <remarks>
/// The address is the client's own: behind <c>trustedProxies</c> the one that they tell. An address that no range holds is refused where
/// <see cref="Allow"/> names any range, and admitted otherwise.
/// </remarks>
public sealed record AccessConfig : PolicyConfig
{
    internal const string Key = "access";

    internal const string NothingHint =
        "add ranges: `allow: [10.0.0.0/8]` admits these addresses only, `deny: [10.9.0.0/16]` refuses these addresses";

    /// <summary>
    /// Addresses and CIDR ranges that are admitted; <c>unix:</c> for clients of a listener on a Unix socket, who have no address. Default:
    /// everybody who is not refused.
    /// </summary>
    public ValueList<string> Allow { get; init; } = [];

    /// <summary>Addresses and CIDR ranges that are refused with 403 (<c>access-denied</c>). Default: nobody.</summary>
    public ValueList<string> Deny { get; init; } = [];

    internal static Grammar<AccessConfig> Grammar { get; } =
        new RecordGrammar<AccessConfig>(static f =>
        {
            var access = new AccessConfig
            {
                Allow = f.FilledList("allow", TrustedProxiesConfig.AddressRange, NothingHint, allowSingle: true),
                Deny = f.FilledList("deny", TrustedProxiesConfig.AddressRange, NothingHint, allowSingle: true),
            };
            if (f.IsReading && f.IsEmpty)
                f.Report("missing-key", null, NothingDone, NothingHint);
            return access;
        });

    internal override string Kind => Key;

    internal override (string Message, string Hint)? Problem => Allow.Count + Deny.Count == 0 ? (NothingDone, NothingHint) : null;

    private const string NothingDone = "the policy has no address ranges and would admit every client";
}
