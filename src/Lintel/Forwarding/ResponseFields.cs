using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Forwarding;

/// <summary>What the gateway adds to a response's head.</summary>
internal static class ResponseFields
{
    public static void Add(Exchange exchange, HeaderChanges changes, TimeProvider time)
    {
        var headers = exchange.Response.Headers;
        foreach (var (name, template) in changes.Added)
        {
            if (template.RenderForHeader(exchange) is { Length: > 0 } value)
                headers.Append(name, value);
        }

        if (exchange.Snapshot.ServerTiming && !changes.Removes(ServerTiming.HeaderName))
            headers.Append(ServerTiming.HeaderName, ServerTiming.Render(exchange.Upstream + time.GetElapsedTime(exchange.AttemptTimestamp), time.GetElapsedTime(exchange.StartTimestamp)));
    }
}
