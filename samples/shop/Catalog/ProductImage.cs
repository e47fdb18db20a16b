using System.Globalization;
using System.Security;

namespace Lintel.Samples.Shop.Catalog;

/// <summary>Draws a product: a shape and a colour that follow from its id, with its name below.</summary>
internal static class ProductImage
{
    private const int Width = 320;
    private const int Height = 200;

    public static string Draw(Product product)
    {
        // The golden angle keeps the colours of neighbouring ids apart.
        var hue = product.Id * 137 % 360;
        var shape = (product.Id % 3) switch
        {
            0 => "<circle cx=\"160\" cy=\"80\" r=\"48\"/>",
            1 => "<rect x=\"112\" y=\"32\" width=\"96\" height=\"96\" rx=\"12\"/>",
            _ => "<path d=\"M160 28 L216 128 L104 128 Z\"/>",
        };
        var name = SecurityElement.Escape(product.Name);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{Width}" height="{Height}" viewBox="0 0 {Width} {Height}" role="img">
              <title>{name}</title>
              <rect width="{Width}" height="{Height}" fill="hsl({hue}, 45%, 92%)"/>
              <g fill="hsl({hue}, 55%, 45%)">{shape}</g>
              <text x="160" y="164" font-family="sans-serif" font-size="16" text-anchor="middle" fill="#222">{name}</text>
              <text x="160" y="185" font-family="monospace" font-size="11" text-anchor="middle" fill="#666">{product.Sku}</text>
            </svg>

            """
        );
    }
}
