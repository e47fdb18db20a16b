using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Lintel.Samples.Shop;

/// <summary>Reads what callers send: ids, query values, JSON bodies.</summary>
internal static class Input
{
    /// <summary>The id in the route; null when it is no positive whole number, which is nobody's id.</summary>
    public static int? RouteId(HttpContext context) =>
        TryInt(context.Request.RouteValues["id"] as string, 1, int.MaxValue, out var id) ? id : null;

    public static bool TryInt(string? text, int lowest, int highest, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= lowest && number <= highest;

    /// <summary>A whole number from the query, or the fallback when it is missing; what is wrong goes into the errors.</summary>
    public static int? QueryInt(
        HttpContext context,
        string name,
        int? fallback,
        (int Lowest, int Highest) range,
        Dictionary<string, string> errors
    )
    {
        if (!context.Request.Query.TryGetValue(name, out var text))
            return fallback;
        if (TryInt(text, range.Lowest, range.Highest, out var number))
            return number;
        errors[name] = string.Create(CultureInfo.InvariantCulture, $"is a whole number from {range.Lowest} to {range.Highest}");
        return fallback;
    }

    /// <summary>A value from the query; null when it is missing or empty.</summary>
    public static string? QueryText(HttpContext context, string name) =>
        context.Request.Query[name].ToString() is { Length: > 0 } text ? text : null;

    /// <summary>Reads a JSON body. When it cannot, it has answered with 415 or 400 and returns null.</summary>
    public static async Task<T?> BodyAsync<T>(HttpContext context, JsonTypeInfo<T> type, string example)
        where T : class
    {
        if (!context.Request.HasJsonContentType())
        {
            const string Advice = "Send the body as Content-Type: application/json.";
            await Answers.ProblemAsync(context, StatusCodes.Status415UnsupportedMediaType, Advice);
            return null;
        }

        string? reason = null;
        try
        {
            if (await JsonSerializer.DeserializeAsync(context.Request.Body, type, context.RequestAborted) is { } body)
                return body;
        }
        catch (JsonException error)
        {
            reason = string.Create(
                CultureInfo.InvariantCulture,
                $" It fails at {error.Path ?? "$"}, line {error.LineNumber + 1}, byte {error.BytePositionInLine + 1}."
            );
        }

        var detail = $"The body is not what is expected, such as {example}.{reason}";
        await Answers.ProblemAsync(context, StatusCodes.Status400BadRequest, detail);
        return null;
    }
}
