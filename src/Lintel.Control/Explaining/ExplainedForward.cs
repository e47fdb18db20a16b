using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Control.Status;
using Lintel.Forwarding;
using Lintel.Observability;
using Lintel.Pipeline;

namespace Lintel.Control.Explaining;

/// <summary>The request that a service would receive.</summary>
internal sealed record ExplainedForward
{
    /// <summary>The services that the request can be sent to, with their shares.</summary>
    public required IReadOnlyList<RouteServiceStatus> Services { get; init; }

    /// <summary>The instances of those services.</summary>
    public required IReadOnlyList<ServiceStatus> Instances { get; init; }

    /// <summary>What would happen if attempts at those services failed.</summary>
    public required IReadOnlyList<ExplainedFailing> Failing { get; init; }

    /// <summary>The service that receives copies of requests; <see langword="null"/> for none.</summary>
    public RouteServiceStatus? Mirror { get; init; }

    /// <summary>The request line, relative to an instance's own path.</summary>
    public required string RequestLine { get; init; }

    /// <summary>Fields that the client did not send.</summary>
    public required IReadOnlyList<ExplainedHeader> Added { get; init; }

    /// <summary>Fields with a value other than the client's.</summary>
    public required IReadOnlyList<ExplainedHeader> Changed { get; init; }

    /// <summary>Names of the client's fields that are removed.</summary>
    public required IReadOnlyList<string> Removed { get; init; }

    /// <summary>Names of the client's fields that are passed on unchanged.</summary>
    public required IReadOnlyList<string> Passed { get; init; }

    /// <summary>Changes to the response's fields, in words.</summary>
    public required IReadOnlyList<string> Response { get; init; }

    internal static ExplainedForward? Of(
        RouteConfig route,
        RouteStatus status,
        ForwardPlan plan,
        Exchange exchange,
        GatewayConfig config,
        out string? problem
    )
    {
        problem = null;
        if (UpstreamRequest.Create(exchange, plan.Path, plan.Query, plan.RequestHeaders, out var error) is not { } request)
        {
            problem = error!.Detail;
            return null;
        }

        foreach (
            var name in status.Services.Where(s => s.Percent > 0).Select(s => config.Services[s.Name].Affinity?.Cookie).OfType<string>()
        )
            request.RemoveCookie(name);
        var client = exchange
            .Request.Headers.Where(h => h.Key != "Host")
            .ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase);
        var sent = request
            .Headers.GroupBy(h => h.Key, StringComparer.OrdinalIgnoreCase)
            .Select(g => (Name: g.Key, Value: string.Join(", ", g.Select(h => h.Value.ToString()))))
            .ToList();
        if (request.SendsTraceContext)
            sent.Add(("traceparent", "(each attempt's own)"));
        var services = status
            .Services.Where(s => s.Percent > 0)
            .Select(s => ServiceStatus.Of(s.Name, config.Services[s.Name], config.Defaults.Timeouts, running: null))
            .ToList();
        sent.Insert(
            0,
            (
                "Host",
                string.Join(
                    " or ",
                    services
                        .Select(s =>
                            s.Host switch
                            {
                                "request" => request.Host,
                                "instance" => "(the instance's address)",
                                var name => name,
                            }
                        )
                        .Distinct()
                )
            )
        );
        client.Add("Host", request.Host);
        var mayRepeat = ForwardRun.MayRepeat(exchange, request.Method, plan.IsIdempotent);
        var isHedged = mayRepeat && ForwardRun.IsHedgeable(exchange, request);
        var response = route.Transform.Response;
        return new ExplainedForward
        {
            Services = status.Services,
            Instances = services,
            Failing = [.. services.Select(s => ExplainedFailing.Of(s.Name, config.Services[s.Name], mayRepeat, isHedged))],
            Mirror = status.Mirror,
            RequestLine = request.Method + " " + request.PathAndQuery,
            Added = [.. sent.Where(h => !client.ContainsKey(h.Name)).Select(h => Field(h.Name, h.Value))],
            Changed = [.. sent.Where(h => client.TryGetValue(h.Name, out var old) && old != h.Value).Select(h => Field(h.Name, h.Value))],
            Removed = [.. client.Keys.Where(n => !sent.Exists(h => h.Name.Equals(n, StringComparison.OrdinalIgnoreCase)))],
            Passed = [.. sent.Where(h => client.TryGetValue(h.Name, out var old) && old == h.Value).Select(h => h.Name)],
            Response =
            [
                .. response.SetHeaders.Select(h => $"sets {h.Key}: {Field(h.Key, h.Value).Value}"),
                .. response.AddHeaders.Select(h => $"adds {h.Key}: {Field(h.Key, h.Value).Value}"),
                .. response.RemoveHeaders.Select(h => $"removes {h}"),
            ],
        };
    }

    internal static ExplainedHeader Field(string name, string value) =>
        new(name, Secrets.IsSecret(name) ? "(hidden)" : FieldText.ToText(value));
}
