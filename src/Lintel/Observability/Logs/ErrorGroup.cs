using System.Globalization;
using System.IO.Hashing;
using System.Text;
using Lintel.Errors;

namespace Lintel.Observability.Logs;

/// <summary>What makes two failures the same.</summary>
internal readonly record struct ErrorKey(GatewayErrorKind Kind, string? Route, string? Service, string? Instance, Type? Exception);

/// <summary>The occurrences of one kind of failure. Guarded by the lock of <see cref="ErrorLog"/>.</summary>
internal sealed class ErrorGroup(ErrorKey key, string slug, DateTimeOffset now)
{
    public ErrorKey Key => key;

    public string Slug => slug;

    public string Fingerprint { get; } = FingerprintOf(key, slug);

    public DateTimeOffset FirstSeen { get; } = now;

    public DateTimeOffset LastSeen { get; set; } = now;

    public long Count { get; set; }

    /// <summary>The number of occurrences since its last line.</summary>
    public long Unreported { get; set; }

    public long? LastLogged { get; set; }

    public string LastTraceId { get; set; } = "";

    /// <summary>A description of the last occurrence, as raised: may contain control characters.</summary>
    public string? LastDetail { get; set; }

    /// <summary>The same on every node and after every start: 48 bits of the parts' hash.</summary>
    private static string FingerprintOf(ErrorKey key, string slug)
    {
        var text = string.Join('\n', slug, key.Route, key.Service, key.Instance, key.Exception?.FullName);
        return (XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(text)) >> 16).ToString("x12", CultureInfo.InvariantCulture);
    }
}
