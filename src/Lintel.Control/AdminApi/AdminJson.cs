using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Lintel.Config;
using Lintel.Control.Status;
using Lintel.Hosting;

namespace Lintel.Control.AdminApi;

/// <summary>A list. An object and not a bare array, so that properties can be added beside the items.</summary>
/// <param name="Items">The items.</param>
internal sealed record ItemList<T>(IEnumerable<T> Items);

/// <summary>The liveness of the process.</summary>
/// <param name="Status"><c>live</c>, or <c>hung</c>.</param>
internal sealed record LiveStatus(string Status);

/// <summary>The readiness of the gateway.</summary>
/// <param name="Status"><c>ready</c> or <c>not ready</c>.</param>
/// <param name="Reasons">Why it is not ready; empty when it is ready.</param>
internal sealed record ReadyStatus(string Status, IReadOnlyList<string> Reasons)
{
    /// <summary>What an operator should look at although the gateway is ready, such as a refused reload; absent when all is well.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Notes { get; init; }

    public static ReadyStatus Of(IReadOnlyList<string> reasons, IReadOnlyList<string> notes) =>
        new(reasons.Count == 0 ? "ready" : "not ready", reasons) { Notes = notes.Count == 0 ? null : notes };
}

/// <summary>The endpoints of the admin address.</summary>
/// <param name="Endpoints">The endpoints.</param>
internal sealed record IndexStatus(IReadOnlyList<IndexEntry> Endpoints);

/// <summary>An endpoint.</summary>
/// <param name="Method">The method: <c>GET</c>, or <c>POST</c> for a change.</param>
/// <param name="Path">The path; <c>{name}</c> and <c>{instance}</c> are placeholders.</param>
/// <param name="Summary">The description.</param>
internal sealed record IndexEntry(string Method, string Path, string Summary);

/// <summary>The types of all answers, generated at compile time: no reflection at run time.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    GenerationMode = JsonSourceGenerationMode.Metadata,
    Converters = [
        typeof(DurationConverter),
        typeof(WordConverter<GatewayState>),
        typeof(WordConverter<ReloadOutcome>),
        typeof(WordConverter<RouteAction>),
        typeof(WordConverter<RoutePriority>),
        typeof(WordConverter<ServiceProtocol>),
        typeof(WordConverter<BalancingKind>),
        typeof(WordConverter<ListenerProtocol>),
        typeof(WordConverter<ConfigSeverity>),
    ]
)]
[JsonSerializable(typeof(LiveStatus))]
[JsonSerializable(typeof(KeySetStatus))]
[JsonSerializable(typeof(ReadyStatus))]
[JsonSerializable(typeof(IndexStatus))]
[JsonSerializable(typeof(SnapshotStatus))]
[JsonSerializable(typeof(ItemList<RouteStatus>))]
[JsonSerializable(typeof(ItemList<ServiceStatus>))]
[JsonSerializable(typeof(ItemList<ListenerStatus>))]
[JsonSerializable(typeof(ItemList<ErrorStatus>))]
[JsonSerializable(typeof(InstanceStatus))]
[JsonSerializable(typeof(InstanceChange))]
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(JsonObject))]
internal sealed partial class AdminJson : JsonSerializerContext
{
    // Apostrophes and non-Latin scripts are not escaped: this JSON is for programs and people, and never embedded in a page.
    static AdminJson() =>
        Default = new AdminJson(
            new JsonSerializerOptions(s_defaultOptions)
            {
                Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
                AllowDuplicateProperties = false,
            }
        );
}

/// <summary>Formats durations as in the configuration: <c>300ms</c>, <c>5s</c>, <c>1m</c>, <c>2h</c>.</summary>
internal sealed class DurationConverter : JsonConverter<TimeSpan>
{
    public const string Pattern = "^[0-9]+(ms|s|m|h)$";

    public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException("durations are only written");

    public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options)
    {
        var (amount, unit) = value.Ticks switch
        {
            0 => (0, "s"),
            var t when t % TimeSpan.TicksPerHour == 0 => (t / TimeSpan.TicksPerHour, "h"),
            var t when t % TimeSpan.TicksPerMinute == 0 => (t / TimeSpan.TicksPerMinute, "m"),
            var t when t % TimeSpan.TicksPerSecond == 0 => (t / TimeSpan.TicksPerSecond, "s"),
            var t => (t / TimeSpan.TicksPerMillisecond, "ms"),
        };
        writer.WriteStringValue(string.Create(CultureInfo.InvariantCulture, $"{amount}{unit}"));
    }
}

/// <summary>Formats enum values as in the configuration: <c>leastRequests</c>.</summary>
internal sealed class WordConverter<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.CamelCase, allowIntegerValues: false)
    where T : struct, Enum;
