using System.Text.Json;
using Lintel.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Lintel.Control.AdminApi;

/// <summary><c>/health/live</c> and <c>/health/ready</c>: what load balancers and orchestrators ask.</summary>
internal static class HealthEndpoints
{
    public static void Map(IEndpointRouteBuilder endpoints, Gateway gateway)
    {
        endpoints.MapGet("/health/live", context => WriteAsync(context, StatusCodes.Status200OK, "live", []));
        endpoints.MapGet("/health/ready", context =>
        {
            var reasons = gateway.NotReadyReasons;
            return reasons.Count == 0
                ? WriteAsync(context, StatusCodes.Status200OK, "ready", reasons)
                : WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "not ready", reasons);
        });
    }

    private static async Task WriteAsync(HttpContext context, int status, string text, IReadOnlyList<string> reasons)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.Headers.CacheControl = "no-store";
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("status", text);
        if (reasons.Count > 0)
        {
            json.WriteStartArray("reasons");
            foreach (var reason in reasons)
                json.WriteStringValue(reason);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }
}
