namespace Lintel.Services.Connections;

/// <summary>
/// The protocol of an upgrade request to a service, if it is not WebSocket. YARP evaluates <c>Upgrade</c> itself and knows two protocols;
/// the actual one is set when the request is sent.
/// </summary>
internal static class UpgradeAsSent
{
    /// <summary>The value of the request's <c>Upgrade</c> while YARP processes it.</summary>
    public const string KnownToYarp = "SPDY/0";

    public static HttpRequestOptionsKey<string> Key { get; } = new("lintel.upgrade");

    /// <summary>Sets the actual protocol.</summary>
    public static void Restore(HttpRequestMessage request)
    {
        if (!request.Options.TryGetValue(Key, out var protocol))
            return;
        request.Headers.Remove("Upgrade");
        request.Headers.TryAddWithoutValidation("Upgrade", protocol);
    }
}
