using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Samples.Shop;

/// <summary>The answer of <c>/healthz</c>.</summary>
internal sealed record Health(string Status, string Service);

/// <summary>
/// A request as it arrived. <c>Path</c> is the raw request target; <c>Body</c> is its first 64 KiB as text, of <c>BodyBytes</c> in all.
/// </summary>
internal sealed record Echo(
    string Service,
    string Method,
    string Path,
    IReadOnlyDictionary<string, string> Query,
    IReadOnlyDictionary<string, string> Headers,
    string Body,
    long BodyBytes
);

/// <summary>What every service has beside its own: help, health, echo and the knobs.</summary>
internal static class CommonEndpoints
{
    private const int LongestEcho = 64 * 1024;
    private const string KnobsExample = """{"latency":"300ms","jitter":"50ms","failureRatio":0.25,"failureStatus":503,"healthy":true}""";
    private const string Help = $$"""

        Every service
          GET    /healthz        200, or 503 when the knob healthy is false
          ANY    /echo           your request as it arrived here, also below /echo/
          GET    /knobs          how slow and unreliable this service is made
          PUT    /knobs          {{KnobsExample}}
                                 only the knobs that you name change
          DELETE /knobs          back to good health

        Any request but /healthz and /knobs
          ?delay=500ms           waits before the answer, instead of the knobs' latency
          ?fail=503              answers with this error

        """;

    public static void Map(WebApplication app, string service, Knobs knobs, string help)
    {
        var text = $"The shop's {service} service, a sample behind the Lintel gateway.\n\n{help}\n{Help}";
        app.MapMethods("/", Read, context => Answers.TextAsync(context, "text/plain; charset=utf-8", text));
        app.MapMethods("/healthz", Read, context => HealthAsync(context, service, knobs));
        app.Map("/echo/{**rest}", context => EchoAsync(context, service));
        app.MapMethods("/knobs", Read, context => Answers.JsonAsync(context, ShopJson.Wire.KnobSettings, knobs.Current));
        app.MapPut("/knobs", context => TurnAsync(context, knobs));
        app.MapDelete("/knobs", context => Answers.JsonAsync(context, ShopJson.Wire.KnobSettings, knobs.Reset()));
    }

    /// <summary>The methods of an endpoint that only reads: Kestrel leaves out the body of an answer to HEAD.</summary>
    public static IReadOnlyList<string> Read { get; } = [HttpMethods.Get, HttpMethods.Head];

    private static Task HealthAsync(HttpContext context, string service, Knobs knobs) =>
        knobs.Current.Healthy
            ? Answers.JsonAsync(context, ShopJson.Wire.Health, new Health("ok", service))
            : Answers.JsonAsync(context, ShopJson.Wire.Health, new Health("unhealthy", service), StatusCodes.Status503ServiceUnavailable);

    private static async Task TurnAsync(HttpContext context, Knobs knobs)
    {
        using var patch = await Input.BodyAsync(context, ShopJson.Wire.JsonDocument, KnobsExample);
        if (patch is null)
            return;
        if (patch.RootElement.ValueKind != JsonValueKind.Object)
        {
            await Answers.ProblemAsync(context, StatusCodes.Status400BadRequest, $"The knobs are a JSON object such as {KnobsExample}.");
            return;
        }

        if (knobs.Turn(patch.RootElement) is { Count: > 0 } wrong)
            await Answers.BadRequestAsync(context, wrong);
        else
            await Answers.JsonAsync(context, ShopJson.Wire.KnobSettings, knobs.Current);
    }

    private static async Task EchoAsync(HttpContext context, string service)
    {
        var request = context.Request;
        var (body, length) = await ReadTextAsync(request.Body, context.RequestAborted);
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var echo = new Echo(
            service,
            request.Method,
            target,
            request.Query.ToDictionary(value => value.Key, value => string.Join(", ", value.Value.AsEnumerable())),
            request.Headers.ToDictionary(header => header.Key, header => string.Join(", ", header.Value.AsEnumerable())),
            body,
            length
        );
        await Answers.JsonAsync(context, ShopJson.Wire.Echo, echo);
    }

    /// <summary>Reads the whole body, so that its sender may finish, and keeps the first <see cref="LongestEcho"/> bytes.</summary>
    private static async Task<(string Text, long Length)> ReadTextAsync(Stream body, CancellationToken token)
    {
        var chunk = new byte[16 * 1024];
        using var kept = new MemoryStream();
        var length = 0L;
        for (int read; (read = await body.ReadAsync(chunk, token)) > 0; length += read)
            kept.Write(chunk, 0, (int)Math.Min(read, LongestEcho - kept.Length));

        // Of a body that was cut, a character that lost its end is dropped; in a whole one it shows as U+FFFD.
        var characters = new char[Encoding.UTF8.GetMaxCharCount((int)kept.Length)];
        var bytes = kept.GetBuffer().AsSpan(0, (int)kept.Length);
        var count = Encoding.UTF8.GetDecoder().GetChars(bytes, characters, flush: length <= LongestEcho);
        return (new string(characters, 0, count), length);
    }
}
