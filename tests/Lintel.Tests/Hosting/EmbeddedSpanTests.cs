using System.Diagnostics;
using Lintel.Config;
using Lintel.Observability;
using Lintel.Tests.Pipeline;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Lintel.Tests.Hosting;

/// <summary>Spans of an embedded gateway. Listeners are process-wide: not in parallel with <see cref="RequestSpanTests"/>.</summary>
[Collection(nameof(RequestSpanTests))]
public sealed class EmbeddedSpanTests
{
    /// <summary>
    /// As OpenTelemetry's <c>AddSource("Lintel")</c> without instrumentation of ASP.NET Core: its sampler goes by the parent.
    /// </summary>
    [Theory]
    [InlineData(null, true)]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true)]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", false)]
    public async Task Spans_OfTheSourceAlone_AreRecorded(string? client, bool isRecorded)
    {
        var route = "traced-" + Guid.NewGuid().ToString("n");
        var spans = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = s => s.Name == GatewayTelemetry.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> o) =>
                o.Parent.TraceId == default || o.Parent.TraceFlags.HasFlag(ActivityTraceFlags.Recorded)
                    ? ActivitySamplingResult.AllDataAndRecorded
                    : ActivitySamplingResult.None,
            ActivityStopped = a =>
            {
                lock (spans)
                    spans.Add(a);
            },
        };
        ActivitySource.AddActivityListener(listener);
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        builder.Services.AddLintel(
            new GatewayConfig
            {
                Routes = new()
                {
                    [route] = new RouteConfig
                    {
                        Match = new MatchConfig { Paths = ["/x"] },
                        Respond = new RespondConfig { Body = "x" },
                    },
                },
                Observability = new ObservabilityConfig { AccessLog = new AccessLogConfig { To = "none" } },
            }
        );
        await using var app = builder.Build();
        app.MapLintel();
        await app.StartAsync(CancellationToken.None);
        using var test = app.GetTestClient();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/x");
        if (client is not null)
            request.Headers.TryAddWithoutValidation("traceparent", client);
        using var response = await test.SendAsync(request, CancellationToken.None);
        List<Activity> own;
        lock (spans)
            own = [.. spans.Where(s => (string?)s.GetTagItem("lintel.route") == route)];
        Assert.Equal(isRecorded ? 1 : 0, own.Count);
        if (isRecorded)
            Assert.Equal(client is null ? default : ActivitySpanId.CreateFromString("b7ad6b7169203331"), own[0].ParentSpanId);
    }
}
