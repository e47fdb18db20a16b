using Lintel.Config;
using Lintel.Config.Grammars;

namespace Lintel.Policies.Access;

/// <summary>Allows or refuses clients by their address. The longest matching prefix decides; <see cref="Deny"/> wins a tie.</summary>
/// <remarks>
/// The client address is the one reported by <c>trustedProxies</c>, otherwise the remote address of the connection. An address that matches
/// no range is refused if <see cref="Allow"/> has any range, and allowed otherwise.
/// </remarks>
public sealed record AccessConfig : PolicyConfig
{
    internal const string Key = "access";

    internal const string NothingHint =
        "add ranges: `allow: [10.0.0.0/8]` admits these addresses only, `deny: [10.9.0.0/16]` refuses these addresses";

    /// <summary>
    /// Addresses and CIDR ranges that are allowed; <c>unix:</c> for clients of a Unix socket listener, which have no address. Default:
    /// every address that is not denied.
    /// </summary>
    public ValueList<string> Allow { get; init; } = [];

    /// <summary>Addresses and CIDR ranges that are refused with 403 (<c>access-denied</c>). Default: none.</summary>
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
