using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Lintel.Config;
using Lintel.Control.AdminApi;
using Lintel.Control.Explaining;
using Lintel.Control.Status;

namespace Lintel.Cli.Commands;

/// <summary>The JSON of <c>lintel explain --format json</c>, generated at compile time: no reflection at run time.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    GenerationMode = JsonSourceGenerationMode.Metadata,
    WriteIndented = true,
    Converters = [
        typeof(DurationConverter),
        typeof(WordConverter<RouteAction>),
        typeof(WordConverter<RoutePriority>),
        typeof(WordConverter<ServiceProtocol>),
        typeof(WordConverter<BalancingKind>),
    ]
)]
[JsonSerializable(typeof(Explanation))]
internal sealed partial class ExplainJson : JsonSerializerContext
{
    // As in the admin API: readable, and never embedded in a page.
    static ExplainJson() =>
        Default = new ExplainJson(new JsonSerializerOptions(s_defaultOptions) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
