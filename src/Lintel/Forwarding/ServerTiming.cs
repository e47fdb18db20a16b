using System.Globalization;

namespace Lintel.Forwarding;

/// <summary><c>Server-Timing</c> (https://www.w3.org/TR/server-timing/): milliseconds up to the response's head.</summary>
internal static class ServerTiming
{
    public const string HeaderName = "Server-Timing";

    public static string Render(TimeSpan upstream, TimeSpan total) =>
        string.Create(CultureInfo.InvariantCulture, $"upstream;dur={upstream.TotalMilliseconds:0.###}, gateway;dur={Math.Max(0, (total - upstream).TotalMilliseconds):0.###}");
}
