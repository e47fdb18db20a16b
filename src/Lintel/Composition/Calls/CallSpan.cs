using System.Diagnostics;
using Lintel.Composition.Plan;
using Lintel.Observability.Traces;

namespace Lintel.Composition.Calls;

/// <summary>The span of one call of a composed answer; its attempts are children of it.</summary>
internal static class CallSpan
{
    public static Activity? Start(CompositionRun run, PlannedCall call)
    {
        var parent = run.Exchange.Trace;
        if (!parent.IsSampled || parent.SpanId == default || !GatewayTracing.Source.HasListeners())
            return null;
        var span = GatewayTracing.Source.StartActivity("call " + call.Name, ActivityKind.Internal, parent.ToParent());
        if (span is not { IsAllDataRequested: true })
            return span;
        span.SetTag("lintel.call", call.Name);
        span.SetTag("lintel.service", call.Request.Service.Name);
        return span;
    }

    public static void End(Activity? span, CallResult result)
    {
        if (span is null)
            return;
        span.SetTag("lintel.call.state", StateText(result.State));
        if (result.Source is { } source)
            span.SetTag("lintel.call.source", source);
        if (result.Items is { } items)
            span.SetTag("lintel.call.items", items);
        if (result.Error is { } error)
        {
            span.SetTag("error.type", error.Rule.Slug);
            span.SetStatus(ActivityStatusCode.Error);
        }

        span.Stop();
    }

    /// <summary>Returns the state as spans, metrics and the header show it.</summary>
    public static string StateText(CallState state) =>
        state switch
        {
            CallState.Succeeded => "ok",
            CallState.Skipped => "skipped",
            CallState.Canceled => "canceled",
            _ => "failed",
        };
}
