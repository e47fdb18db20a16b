using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.WebUtilities;

namespace Lintel.Samples.Shop;

/// <summary>An error as RFC 9457 writes it; <c>Errors</c> names each wrong input and says what would be right.</summary>
internal sealed record Problem(string Type, string Title, int Status, string? Detail, IReadOnlyDictionary<string, string>? Errors);

/// <summary>Writes answers, each with its Content-Length.</summary>
internal static class Answers
{
    public static Task JsonAsync<T>(HttpContext context, JsonTypeInfo<T> type, T value, int status = StatusCodes.Status200OK)
    {
        context.Response.StatusCode = status;
        return BytesAsync(context, "application/json; charset=utf-8", JsonSerializer.SerializeToUtf8Bytes(value, type));
    }

    public static Task TextAsync(HttpContext context, string contentType, string text) =>
        BytesAsync(context, contentType, Encoding.UTF8.GetBytes(text));

    public static Task BytesAsync(HttpContext context, string contentType, byte[] body)
    {
        context.Response.ContentType = contentType;
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }

    public static Task NotFoundAsync(HttpContext context, string detail) => ProblemAsync(context, StatusCodes.Status404NotFound, detail);

    /// <summary>A 400 about one named input: <paramref name="expected"/> goes on from its name, as in "is a whole number".</summary>
    public static Task BadRequestAsync(HttpContext context, string name, string expected) =>
        BadRequestAsync(context, new Dictionary<string, string> { [name] = expected });

    public static Task BadRequestAsync(HttpContext context, IReadOnlyDictionary<string, string> errors) =>
        ProblemAsync(
            context,
            StatusCodes.Status400BadRequest,
            string.Join("; ", errors.Select(error => $"{error.Key} {error.Value}")) + ".",
            errors
        );

    public static Task ProblemAsync(HttpContext context, int status, string? detail, IReadOnlyDictionary<string, string>? errors = null)
    {
        var title = ReasonPhrases.GetReasonPhrase(status);
        var problem = new Problem("about:blank", title.Length > 0 ? title : "Error", status, detail, errors);
        context.Response.StatusCode = status;
        return BytesAsync(context, "application/problem+json", JsonSerializer.SerializeToUtf8Bytes(problem, ShopJson.Wire.Problem));
    }
}
