namespace Lintel.Services.Connections;

/// <summary>
/// The protocol that a request to a service asks to switch to, where that is not WebSocket. YARP looks at <c>Upgrade</c> for itself and
/// knows two words; the right one takes its place when the request is sent.
/// </summary>
internal static class UpgradeAsSent
{
    /// <summary>What stands in the request's <c>Upgrade</c> while it is in YARP's hands.</summary>
    public const string KnownToYarp = "SPDY/0";

    public static HttpRequestOptionsKey<string> Key { get; } = new("lintel.upgrade");

    /// <summary>Puts the protocol where it belongs.</summary>
    public static void Restore(HttpRequestMessage request)
    {
        if (!request.Options.TryGetValue(Key, out var protocol))
            return;
        request.Headers.Remove("Upgrade");
        request.Headers.TryAddWithoutValidation("Upgrade", protocol);
    }
}
