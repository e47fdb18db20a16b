using System.Diagnostics;
using Lintel.Errors;
using Lintel.Observability.Metrics;
using Lintel.Observability.Traces;

namespace Lintel.Services.Attempts;

/// <summary>The span of one attempt, following OpenTelemetry's semantic conventions for HTTP clients.</summary>
internal static class AttemptSpan
{
    /// <summary>Starts the span, if the request itself is recorded.</summary>
    /// <param name="method">The request's method.</param>
    /// <param name="pathAndQuery">Its target.</param>
    /// <param name="parent">The parent of the span.</param>
    /// <param name="service">The service.</param>
    /// <param name="instance">The instance of the service.</param>
    public static Activity? Start(string method, string pathAndQuery, in TraceContext parent, Service service, Instance instance)
    {
        if (!parent.IsSampled || parent.SpanId == default || !GatewayTracing.Source.HasListeners())
            return null;
        var span = GatewayTracing.Source.StartActivity(GatewayTracing.NameOf(method), ActivityKind.Client, parent.ToParent());
        if (span is not { IsAllDataRequested: true })
            return span;
        GatewayTracing.SetMethod(span, method);
        span.SetTag("server.address", instance.Host);
        span.SetTag("server.port", instance.Port);
        span.SetTag("url.full", instance.Name + PathOf(pathAndQuery));
        span.SetTag("lintel.service", service.Name);
        span.SetTag("lintel.instance", instance.Name);
        return span;
    }

    /// <summary>Adds the outcome of the attempt to the span.</summary>
    public static void Describe(Activity span, int? status, GatewayError? error)
    {
        if (!span.IsAllDataRequested)
            return;
        if (status is { } code)
            span.SetTag("http.response.status_code", code);
        if (error is not null)
        {
            span.SetTag("error.type", error.Rule.Slug);
            if (error.Cause?.GetBaseException() is { } cause)
                span.AddEvent(
                    new ActivityEvent(
                        "exception",
                        tags: new ActivityTagsCollection
                        {
                            ["exception.type"] = cause.GetType().FullName,
                            ["exception.message"] = cause.Message,
                        }
                    )
                );
        }
        else if (status >= 400)
        {
            span.SetTag("error.type", GatewayMetrics.StatusText(status.Value));
        }

        // For clients 4xx is an error too; neither a disconnect of the gateway's client nor a hedge that was not needed is an
        // error of the service.
        if (error is { Kind: not (GatewayErrorKind.ClientAborted or GatewayErrorKind.HedgeLost) } || status >= 400)
            span.SetStatus(ActivityStatusCode.Error);
    }

    /// <summary>The path without the query, which may contain secrets.</summary>
    private static string PathOf(string pathAndQuery) =>
        pathAndQuery.IndexOf('?', StringComparison.Ordinal) is var mark and >= 0 ? pathAndQuery[..mark] : pathAndQuery;
}
