using System.Globalization;

namespace Lintel.Samples.Shop.Catalog;

/// <summary>Something that the shop sells.</summary>
internal sealed record Product(int Id, string Sku, string Name, string Category, decimal Price, string Currency, int Stock);

/// <summary>The 200 products: the same ones, at the same prices, each time and in each service.</summary>
internal static class ProductSeed
{
    public const string Currency = "EUR";

    private static readonly Shelf[] Shelves =
    [
        new(
            "kitchen",
            "KIT",
            ["Enamelled", "Cast-iron", "Stoneware", "Copper", "Bamboo"],
            [("Teapot", 39), ("Saucepan", 64), ("Salad Bowl", 27), ("Bread Knife", 33), ("Crème Brûlée Dish", 12)]
        ),
        new(
            "desk",
            "DSK",
            ["Walnut", "Oak", "Brass", "Felt", "Recycled"],
            [("Lamp", 89), ("Pen Tray", 19), ("Monitor Stand", 74), ("Notebook", 14), ("Letter Opener", 22)]
        ),
        new(
            "garden",
            "GRD",
            ["Terracotta", "Galvanised", "Folding", "Hand-forged", "Willow"],
            [("Planter", 31), ("Watering Can", 36), ("Trowel", 18), ("Bird Feeder", 29), ("Bench", 189)]
        ),
        new(
            "travel",
            "TRV",
            ["Canvas", "Waxed", "Featherweight", "Leather", "Merino"],
            [("Duffel Bag", 119), ("Passport Wallet", 42), ("Neck Pillow", 35), ("Toiletry Case", 38), ("Packing Cube", 16)]
        ),
        new(
            "audio",
            "AUD",
            ["Studio", "Pocket", "Wireless", "Valve", "Reference"],
            [("Headphones", 179), ("Speaker", 249), ("Microphone", 139), ("Turntable", 329), ("Amplifier", 419)]
        ),
        new(
            "textiles",
            "TEX",
            ["Linen", "조각보 (Jogakbo)", "Hemp", "Alpaca", "Organic Cotton"],
            [("Tablecloth", 58), ("Throw", 84), ("Cushion Cover", 26), ("Tea Towel", 11), ("Curtain", 97)]
        ),
        new(
            "tea",
            "TEA",
            ["Spring", "Smoked", "Wild", "Roasted", "First-flush"],
            [("Boseong Green Tea (보성 녹차)", 24), ("Assam", 13), ("Oolong", 21), ("Sencha (煎茶)", 18), ("Pu-erh", 32)]
        ),
        new(
            "stationery",
            "STA",
            ["A5", "Pocket-size", "Deckle-edged", "Hand-bound", "Dotted"],
            [("Sketchbook", 17), ("한지 (Hanji) Journal", 28), ("Address Book", 15), ("Letter Set", 12), ("Calendar", 20)]
        ),
    ];

    /// <summary>The products 1 to 200, in the order of their ids.</summary>
    public static IReadOnlyList<Product> Make()
    {
        var random = new Random(Seed: 200);
        int[] endings = [0, 50, 90, 95, 99];
        var products = new List<Product>();
        foreach (var shelf in Shelves)
        {
            foreach (var (noun, euros) in shelf.Things)
            {
                foreach (var manner in shelf.Manners)
                {
                    var id = products.Count + 1;
                    var cents = (euros * random.Next(80, 141) / 100 * 100) + endings[random.Next(endings.Length)];
                    products.Add(
                        new Product(
                            id,
                            string.Create(CultureInfo.InvariantCulture, $"{shelf.Prefix}-{id:D4}"),
                            $"{manner} {noun}",
                            shelf.Category,
                            new decimal(cents, 0, 0, isNegative: false, scale: 2),
                            Currency,
                            random.Next(10) == 0 ? 0 : random.Next(1, 250)
                        )
                    );
                }
            }
        }

        return products;
    }

    /// <summary>One category: each of its things comes in each of its manners.</summary>
    private sealed record Shelf(string Category, string Prefix, string[] Manners, (string Noun, int Euros)[] Things);
}
