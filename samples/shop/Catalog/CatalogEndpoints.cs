using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Net.Http.Headers;

namespace Lintel.Samples.Shop.Catalog;

/// <summary>What only the catalog service has. The products never change, so that every thread may read them.</summary>
internal static class CatalogEndpoints
{
    public const string Help = """
        Catalog
          GET    /products             200 of them; ?ids=1,2,3&category=tea&q=oolong
          GET    /products/{id}        one, with an ETag; If-None-Match answers 304
          GET    /products/{id}/image  its picture, an SVG
          GET    /shop                 a page that shows what the gateway composes of all services
        """;

    private const int MostIds = 200;

    /// <summary>The page of the demo. It lies in the assembly, so that a service is one file wherever it runs.</summary>
    private static readonly byte[] ShopPage = ReadPage();

    public static void Map(WebApplication app, IReadOnlyList<Product> products)
    {
        var pages = products.Select(product => new ProductPage(product)).ToArray();
        app.MapMethods("/products", CommonEndpoints.Read, context => ListAsync(context, products));
        app.MapMethods("/products/{id}", CommonEndpoints.Read, context => GetAsync(context, pages));
        app.MapMethods("/products/{id}/image", CommonEndpoints.Read, context => ImageAsync(context, pages));
        app.MapMethods("/shop", CommonEndpoints.Read, context => Answers.BytesAsync(context, "text/html; charset=utf-8", ShopPage));
    }

    private static Task ListAsync(HttpContext context, IReadOnlyList<Product> products)
    {
        IEnumerable<Product> matching = products;
        if (context.Request.Query.TryGetValue("ids", out var text))
        {
            if (ReadIds(text.ToString()) is not { } ids)
                return Answers.BadRequestAsync(context, "ids", $"is up to {MostIds} product ids, such as 1,2,3");

            // In the order they were asked for; unknown ones are left out.
            matching = ids.Where(id => id <= products.Count).Select(id => products[id - 1]);
        }

        if (Input.QueryText(context, "category") is { } category)
            matching = matching.Where(product => string.Equals(product.Category, category, StringComparison.OrdinalIgnoreCase));
        if (Input.QueryText(context, "q") is { } words)
            matching = matching.Where(product => product.Name.Contains(words, StringComparison.OrdinalIgnoreCase));
        return Answers.JsonAsync(context, ShopJson.Wire.IReadOnlyListProduct, [.. matching]);
    }

    private static Task GetAsync(HttpContext context, ProductPage[] pages)
    {
        if (Find(context, pages) is not { } page)
            return NotFoundAsync(context);
        context.Response.Headers.ETag = page.Tag.ToString();
        if (!IsKnown(context.Request, page.Tag))
            return Answers.BytesAsync(context, "application/json; charset=utf-8", page.Json);
        context.Response.StatusCode = StatusCodes.Status304NotModified;
        return Task.CompletedTask;
    }

    private static Task ImageAsync(HttpContext context, ProductPage[] pages)
    {
        if (Find(context, pages) is not { } page)
            return NotFoundAsync(context);
        context.Response.Headers.CacheControl = "public, max-age=3600";
        return Answers.TextAsync(context, "image/svg+xml", ProductImage.Draw(page.Product));
    }

    private static byte[] ReadPage()
    {
        using var page = typeof(CatalogEndpoints).Assembly.GetManifestResourceStream("shop.html")!;
        var bytes = new byte[page.Length];
        page.ReadExactly(bytes);
        return bytes;
    }

    private static ProductPage? Find(HttpContext context, ProductPage[] pages) =>
        Input.RouteId(context) is { } id && id <= pages.Length ? pages[id - 1] : null;

    private static Task NotFoundAsync(HttpContext context) =>
        Answers.NotFoundAsync(context, $"There is no product {context.Request.RouteValues["id"]}.");

    /// <summary>The ids without repetitions; null when one of them is no id or there are too many.</summary>
    private static List<int>? ReadIds(string text)
    {
        var ids = new List<int>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!Input.TryInt(part, 1, int.MaxValue, out var id))
                return null;
            if (!ids.Contains(id))
                ids.Add(id);
            if (ids.Count > MostIds)
                return null;
        }

        return ids;
    }

    /// <summary>Whether If-None-Match has the tag, by the weak comparison that RFC 9110, section 13.1.2 asks for.</summary>
    private static bool IsKnown(HttpRequest request, EntityTagHeaderValue tag) =>
        EntityTagHeaderValue.TryParseList(request.Headers.IfNoneMatch, out var known)
        && known.Any(candidate => candidate.Equals(EntityTagHeaderValue.Any) || candidate.Compare(tag, useStrongComparison: false));

    /// <summary>A product as it is sent, and the strong tag of these bytes.</summary>
    private sealed class ProductPage
    {
        public ProductPage(Product product)
        {
            Product = product;
            Json = JsonSerializer.SerializeToUtf8Bytes(product, ShopJson.Wire.Product);
            Tag = new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(Json).AsSpan(0, 8))}\"");
        }

        public Product Product { get; }

        public byte[] Json { get; }

        public EntityTagHeaderValue Tag { get; }
    }
}
