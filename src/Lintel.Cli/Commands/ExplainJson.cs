using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Lintel.Config;
using Lintel.Control.AdminApi;
using Lintel.Hosting;
using Lintel.Hosting.Explaining;

namespace Lintel.Cli.Commands;

/// <summary>The form of <c>lintel explain --format json</c>, worked out by the compiler: no reflection at run time.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    GenerationMode = JsonSourceGenerationMode.Metadata,
    WriteIndented = true,
    Converters = [
        typeof(DurationConverter),
        typeof(WordConverter<RouteAction>),
        typeof(WordConverter<ServiceProtocol>),
        typeof(WordConverter<BalancingKind>),
    ]
)]
[JsonSerializable(typeof(Explanation))]
internal sealed partial class ExplainJson : JsonSerializerContext
{
    // As the admin API's: readable, and never a part of a page.
    static ExplainJson() =>
        Default = new ExplainJson(new JsonSerializerOptions(s_defaultOptions) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
