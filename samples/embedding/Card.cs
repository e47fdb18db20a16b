using System.Text.Json;
using System.Text.Json.Serialization;
using Lintel.Config;

namespace Lintel.Samples.Embedding;

/// <summary>A customer's card: two calls to the users service, and code that makes one answer of them.</summary>
internal sealed record Card(string Holder, string Kind, IReadOnlyList<string> Perks)
{
    public static ComposeConfig Composition { get; } =
        new()
        {
            Calls = new()
            {
                ["user"] = new CallConfig
                {
                    Request = new CallRequestConfig { Service = "users", Target = "/users/{id}" },
                    Passthrough = [404],
                },
                ["segment"] = new CallConfig
                {
                    Request = new CallRequestConfig { Service = "users", Target = "/segments/{user.segmentId}" },
                    Optional = true,
                },
            },
            Respond = new ComposedAnswerConfig { Body = ShapeConfig.From(Of, CardTypes.Default.Card) },
        };

    /// <summary>What takes the place of JMESPath expressions: the calls' answers as types, and the answer as another one.</summary>
    public static Card Of(ComposedParts parts)
    {
        var user = parts.Get("user", CardTypes.Default.User)!; // a required call: never null
        var segment = parts.Get("segment", CardTypes.Default.Segment); // null if it failed
        return new Card(user.Name, segment?.Name ?? "Customer", segment?.Perks ?? []);
    }
}

/// <summary>Of a user, what the card needs.</summary>
internal sealed record User(string Name);

/// <summary>A kind of customer.</summary>
internal sealed record Segment(string Name, IReadOnlyList<string> Perks);

/// <summary>How they are read and written, made when the program is compiled.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(User))]
[JsonSerializable(typeof(Segment))]
[JsonSerializable(typeof(Card))]
internal sealed partial class CardTypes : JsonSerializerContext;
