using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Lintel.Samples.Shop.Catalog;
using Lintel.Samples.Shop.Orders;
using Lintel.Samples.Shop.Users;

namespace Lintel.Samples.Shop;

/// <summary>All that goes over the wire as JSON.</summary>
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(Health))]
[JsonSerializable(typeof(Echo))]
[JsonSerializable(typeof(KnobSettings))]
[JsonSerializable(typeof(JsonDocument))]
[JsonSerializable(typeof(User))]
[JsonSerializable(typeof(UserPage))]
[JsonSerializable(typeof(NewUser))]
[JsonSerializable(typeof(Segment))]
[JsonSerializable(typeof(Order))]
[JsonSerializable(typeof(IReadOnlyList<Order>))]
[JsonSerializable(typeof(NewOrder))]
[JsonSerializable(typeof(OrderEvent))]
[JsonSerializable(typeof(Product))]
[JsonSerializable(typeof(IReadOnlyList<Product>))]
internal sealed partial class ShopJson : JsonSerializerContext
{
    /// <summary>camelCase, nulls left out, and text as UTF-8 rather than \u escapes: nothing here ends up inside HTML.</summary>
    public static ShopJson Wire { get; } =
        new(
            new JsonSerializerOptions
            {
                PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
                DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
                Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
                AllowDuplicateProperties = false,
            }
        );
}
