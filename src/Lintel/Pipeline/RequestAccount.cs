using Lintel.Errors;
using Lintel.Observability.Logs;
using Lintel.Observability.Metrics;

namespace Lintel.Pipeline;

/// <summary>Records each request in logs and metrics: once when it begins and once when it has ended, on every path.</summary>
internal sealed class RequestAccount(AccessLogSlot accessLog, ErrorLog errors, GatewayMetrics metrics, TimeProvider time)
{
    /// <summary>Records the start of a request.</summary>
    public void Begin(Exchange exchange) => exchange.ActivePlace = metrics.RequestStarted(exchange.Method, exchange.Request.Scheme);

    /// <summary>Records the end of a request. Never throws: a failing listener of metrics or logs does not affect the others.</summary>
    public void End(Exchange exchange, GatewayError? error)
    {
        try
        {
            RecordEnd(exchange, error);
        }
        finally
        {
            if (exchange.ActivePlace is { } place)
                metrics.RequestCompleted(place); // last of all: shutdown waits for the count, and the log line is written by then
        }
    }

    private void RecordEnd(Exchange exchange, GatewayError? error)
    {
        var duration = time.GetElapsedTime(exchange.StartTimestamp);
        var status = StatusOf(exchange, error);
        var protocol = ProtocolVersion(exchange.Request.Protocol);
        try
        {
            var outcome = new RequestOutcome(
                exchange.Method,
                exchange.Request.Scheme,
                protocol,
                status,
                exchange.Route?.Template,
                exchange.Service,
                error?.Rule
            )
            {
                RouteName = exchange.Route?.Name,
            };
            metrics.RequestEnded(outcome, duration, exchange.Upstream, exchange.Route?.Labels);
        }
        catch (Exception e)
        {
            Failed(exchange, e);
        }

        EndSpan(exchange, status, protocol, error);
        if (error is not null)
            Record(exchange, error);
        try
        {
            WriteAccessLine(exchange, status, duration, error);
        }
        catch (Exception e)
        {
            Failed(exchange, e);
        }
    }

    /// <summary>The status that the client received; if it received none, that of the error.</summary>
    private static int StatusOf(Exchange exchange, GatewayError? error) =>
        error is not null
        && (error.Kind == GatewayErrorKind.ClientAborted || (!exchange.Response.HasStarted && exchange.GrpcStatus is null))
            ? error.Rule.Status
            : exchange.Response.StatusCode;

    private void EndSpan(Exchange exchange, int status, string protocol, GatewayError? error)
    {
        if (exchange.Span is not { } span)
            return;
        try
        {
            RequestSpan.Describe(span, exchange, status, protocol, error);
            span.Stop();
        }
        catch (Exception e)
        {
            Failed(exchange, e);
        }
    }

    /// <summary>Records the failure of an observer of requests. The request is not affected.</summary>
    public void Failed(Exchange exchange, Exception cause) => Record(exchange, new GatewayError(GatewayErrorKind.Internal, Cause: cause));

    private void Record(Exchange exchange, GatewayError error)
    {
        try
        {
            errors.Record(error, exchange.Route?.Name, exchange.Service, exchange.Instance, exchange.TraceId);
        }
        catch (Exception)
        {
            // The logger itself failed: no place is left to report it.
        }
    }

    private void WriteAccessLine(Exchange exchange, int status, TimeSpan duration, GatewayError? error)
    {
        AccessLog log;
        do
        {
            log = accessLog.Current;
            if (!log.IsEnabled || !log.Keeps(status, error is not null, exchange.TraceId))
                return;
        } while (!log.TryWrite(Line(exchange, log.Headers, status, duration, error))); // replaced by a reload: use the new log
    }

    private AccessRecord Line(Exchange exchange, string[] headers, int status, TimeSpan duration, GatewayError? error)
    {
        var request = exchange.Request;
        var refused = exchange.Framing?.Refused;
        return new AccessRecord
        {
            Time = time.GetUtcNow(),
            TraceId = exchange.TraceId,
            Method = exchange.Method,
            Path = refused is null ? exchange.RequestTarget.Path ?? PathOf(exchange.RawTarget) : PathOf(refused.Target),
            Query = exchange.RequestTarget.Query ?? "",
            Host = refused?.Host ?? request.Headers.Host.ToString(),
            Protocol = refused?.Protocol ?? request.Protocol,
            Client = exchange.ClientAddress,
            Caller = exchange.CallerName,
            Status = status,
            GrpcStatus = exchange.GrpcStatus,
            Duration = duration,
            Route = exchange.Route?.Name,
            Service = exchange.Service,
            Instance = exchange.Instance,
            Upstream = exchange.Upstream,
            Attempts = exchange.Attempts,
            RequestBytes = exchange.RequestBytes,
            ResponseBytes = exchange.ResponseBytes,
            Error = error?.Rule.Slug,
            Detail = error?.Detail,
            UserAgent = request.Headers.UserAgent is [{ } agent, ..] ? agent : null,
            Headers = headers.Length == 0 ? null : Array.ConvertAll(headers, name => request.Headers[name]),
        };
    }

    /// <summary>The path of a target that could not be normalized, without what may be a query.</summary>
    private static string PathOf(string target)
    {
        var end = target.AsSpan().IndexOfAny('?', '#');
        return end < 0 ? target : target[..end];
    }

    private static string ProtocolVersion(string protocol) =>
        protocol switch
        {
            "HTTP/1.1" => "1.1",
            "HTTP/2" => "2",
            "HTTP/3" => "3",
            _ => "1.0",
        };
}
