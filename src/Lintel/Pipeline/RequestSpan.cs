using System.Diagnostics;
using Lintel.Config;
using Lintel.Errors;
using Lintel.Observability.Metrics;
using Lintel.Observability.Traces;
using Lintel.Routing;

namespace Lintel.Pipeline;

/// <summary>The span of a request, following OpenTelemetry's semantic conventions for HTTP servers.</summary>
internal static class RequestSpan
{
    /// <summary>Makes the sampling decision and starts the span of a recorded request. Costs two reads if there is no listener.</summary>
    public static void Start(Exchange exchange)
    {
        // Inside another host, its own span is active: the request belongs to that trace.
        var current = Activity.Current;
        var host = current;
        if (host is { IdFormat: ActivityIdFormat.W3C })
            exchange.Trace = TraceContext.Of(host);
        if (!GatewayTracing.Source.HasListeners())
            return;
        if (host is not null && IsForLogsAlone(host, exchange))
        {
            exchange.Trace = Above(host, exchange);
            host = null;
        }

        if (host is null && !IsRecorded(exchange))
            return;
        var isRestarted = host is null && exchange.Snapshot.Tracing?.Parent == TraceParent.Ignore;
        Activity.Current = host;
        var span = GatewayTracing.Source.StartActivity(
            GatewayTracing.NameOf(exchange.Request.Method),
            ActivityKind.Server,
            ParentOf(exchange),
            null,
            isRestarted ? LinksTo(exchange) : null
        );
        if (span is null)
        {
            Activity.Current = current;
            return;
        }

        exchange.Span = span;
        exchange.Trace = TraceContext.Of(span);
    }

    /// <summary>Adds the outcome of the request to the span.</summary>
    public static void Describe(Activity span, Exchange exchange, int status, string protocol, GatewayError? error)
    {
        if (!span.IsAllDataRequested)
            return;
        var request = exchange.Request;
        if (exchange.Route is { } route)
        {
            span.DisplayName = $"{GatewayTracing.NameOf(request.Method)} {route.Template}";
            span.SetTag("http.route", route.Template);
            span.SetTag("lintel.route", route.Name);
        }

        GatewayTracing.SetMethod(span, request.Method);
        span.SetTag("url.path", exchange.RequestTarget.Path ?? request.DecodedPath);
        span.SetTag("url.scheme", request.Scheme);
        span.SetTag("http.response.status_code", status);
        span.SetTag("network.protocol.version", protocol);
        span.SetTag("client.address", exchange.ClientAddress?.ToString());
        if (exchange.Host is { Length: > 0 } host)
        {
            var name = RequestHost.WithoutPort(host);
            span.SetTag("server.address", name.Trim("[]").ToString());
            span.SetTag(
                "server.port",
                int.TryParse(
                        host.AsSpan(Math.Min(host.Length, name.Length + 1)),
                        System.Globalization.CultureInfo.InvariantCulture,
                        out var port
                    )
                        ? port
                    : request.Scheme == "https" ? 443
                    : 80
            );
        }

        if (request.Headers.UserAgent is [{ } agent, ..])
            span.SetTag("user_agent.original", agent);
        if (exchange.Service is { } service)
            span.SetTag("lintel.service", service);
        if (error is not null)
            DescribeError(span, error);
        else if (status >= 500)
            span.SetTag("error.type", GatewayMetrics.StatusText(status));

        // «For HTTP status codes in the 4xx range span status MUST be left unset in case of SpanKind.SERVER»
        if (status >= 500)
            span.SetStatus(ActivityStatusCode.Error);
    }

    /// <summary>Records a failed attempt that is followed by another one.</summary>
    public static void Retried(Activity span, string instance, GatewayError error, int attempt) =>
        span.AddEvent(
            new ActivityEvent(
                "lintel.retry",
                tags: new ActivityTagsCollection
                {
                    ["lintel.instance"] = instance,
                    ["error.type"] = error.Rule.Slug,
                    ["http.request.resend_count"] = attempt,
                }
            )
        );

    private static void DescribeError(Activity span, GatewayError error)
    {
        span.SetTag("error.type", error.Rule.Slug);
        var tags = new ActivityTagsCollection
        {
            ["error.type"] = error.Rule.Slug,
            ["lintel.error.source"] = GatewayMetrics.SourceText(error.Rule.Source),
        };
        if ((error.Detail ?? error.Cause?.GetBaseException().Message) is { } message)
            tags["error.message"] = message;
        span.AddEvent(new ActivityEvent("lintel.error", tags: tags));
    }

    /// <summary>
    /// Parent-based sampling, as OpenTelemetry's default sampler: the decision of an existing trace is kept, and only new traces are
    /// sampled by ratio.
    /// </summary>
    private static bool IsRecorded(Exchange exchange)
    {
        var trace = exchange.Trace;
        if (exchange.Snapshot.Tracing is not { } tracing)
            return true; // decided by the listener's own sampler
        return trace.SpanId == default ? GatewayTracing.Samples(trace.TraceId, tracing.Sample) : trace.IsSampled;
    }

    /// <summary>
    /// Whether the host's activity exists for log scopes only. ASP.NET Core creates it even if its spans are not sampled; as a parent it
    /// would be a span that is never exported, with a decision that was never made.
    /// </summary>
    private static bool IsForLogsAlone(Activity host, Exchange exchange) =>
        host.OperationName == "Microsoft.AspNetCore.Hosting.HttpRequestIn"
        && !host.Source.HasListeners()
        && (exchange.Request.Services?.GetService(typeof(DiagnosticListener)) as DiagnosticListener)?.IsEnabled() != true;

    /// <summary>The position of the host's activity: a child of the client's span, or the root of a trace.</summary>
    private static TraceContext Above(Activity host, Exchange exchange)
    {
        if (exchange.Snapshot.Tracing?.Parent == TraceParent.Ignore)
            return TraceContext.NewRoot();
        var headers = exchange.Request.Headers;
        return TraceContext.TryParse(headers.TraceParent, headers.TraceState, out var client)
            ? client
            : TraceContext.NewRoot() with
            {
                TraceId = host.TraceId,
            };
    }

    /// <summary>
    /// The parent of the span. A sampler of the listener must see that a trace begins here: it treats anything with a trace id as a child,
    /// and here as the child of an unrecorded span.
    /// </summary>
    private static ActivityContext ParentOf(Exchange exchange) =>
        exchange.Snapshot.Tracing is null && exchange.Trace.SpanId == default ? default : exchange.Trace.ToParent();

    /// <summary>A link to the client's trace that was not continued.</summary>
    private static ActivityLink[]? LinksTo(Exchange exchange)
    {
        var headers = exchange.Request.Headers;
        return TraceContext.TryParse(headers.TraceParent, headers.TraceState, out var client)
            ? [new ActivityLink(client.ToParent())]
            : null;
    }
}
