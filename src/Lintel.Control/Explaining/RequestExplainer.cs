using System.Net;
using System.Text;
using Lintel.Answering;
using Lintel.Carriers;
using Lintel.Composition;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Control.Status;
using Lintel.Errors;
using Lintel.Forwarding;
using Lintel.Hosting;
using Lintel.Pipeline;
using Lintel.Policies.Identity;
using Lintel.Routing;
using Lintel.Runtime;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Control.Explaining;

/// <summary>Follows a request through <see cref="RoutePipeline"/>, up to the point where something would be sent.</summary>
internal sealed class RequestExplainer(GatewayConfig config, Snapshot snapshot)
{
    /// <summary>The maximum number of routes with a different path that are listed.</summary>
    private const int MaxOtherPaths = 10;

    /// <summary>
    /// Reads the configuration and explains what would happen to a request, without applying the configuration and without sending
    /// anything.
    /// </summary>
    public static Explanation Explain(Gateway gateway, ExplainRequest request) =>
        Explain(gateway.ReadSource(), gateway.Parts.Compiler, request);

    /// <summary>Compiles the configuration that was read, explains, and releases it.</summary>
    public static Explanation Explain(SourceReading reading, SnapshotCompiler compiler, ExplainRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (reading.Config is not { } config || compiler.Compile(config, reading.Root, reading.Report) is not { } snapshot)
            return new Explanation { Report = reading.Report };
        try
        {
            return new RequestExplainer(config, snapshot).Explain(request, reading.Report);
        }
        finally
        {
            snapshot.Retire();
        }
    }

    /// <summary>
    /// Explains a request. The client is 127.0.0.1, uses HTTP/1.1, and connects to the requested listener, otherwise to the first one of
    /// the target's scheme.
    /// </summary>
    public Explanation Explain(ExplainRequest request, ConfigReport report)
    {
        var explanation = new Explanation
        {
            Report = report,
            Method = request.Method,
            Target = request.Target,
        };
        if (!RequestTarget.TryParse(request.Target, out var target, out var problem))
            return explanation with { RefusedWith = StatusCodes.Status400BadRequest, Refusal = problem };

        if (Listener(request) is not { } listener)
            return explanation with
            {
                RefusedWith = StatusCodes.Status404NotFound,
                Refusal = $"there is no listener named `{request.Listener}`",
            };
        var context = Context(request, listener.Value.Address.IsTls);
        var exchange = new Exchange();
        exchange.Begin(
            new ClientRequest(context),
            snapshot,
            timestamp: 0,
            new RequestOrigin(new ListenerIdentity(listener.Key, listener.Value), null)
        );
        exchange.RequestTarget = target;
        context.Request.QueryString = new QueryString(target.Query);
        var lookup = default(RouteLookup<Route>);
        var error = RouteMatch.Find(exchange, request.Method, ref lookup);
        explanation = Others(explanation, RouteExplanation.Losses(snapshot.Routes, exchange.Routed, target.Path, lookup.Candidate)) with
        {
            Target = exchange.RequestTarget.Path + target.Query,
            Host = exchange.Host,
            Listener = listener.Key,
        };
        switch (lookup.Outcome)
        {
            case RouteOutcome.NotFound when error!.Kind != GatewayErrorKind.RouteNotFound:
                return explanation with { RefusedWith = error.Rule.Status, Refusal = error.Detail };
            case RouteOutcome.NotFound:
                return explanation with { RefusedWith = StatusCodes.Status404NotFound, Refusal = "no route matches" };
            case RouteOutcome.MethodNotAllowed:
                return explanation with
                {
                    RefusedWith = StatusCodes.Status405MethodNotAllowed,
                    Refusal = $"no route accepts {request.Method} for this path; Allow: {string.Join(", ", lookup.Allowed!)}",
                };
        }

        if (request.Client is { } client && !config.Clients.ContainsKey(client))
            return explanation with { RefusedWith = StatusCodes.Status404NotFound, Refusal = $"there is no client named `{client}`" };
        CallerExplainer.Assume(exchange, request);
        return Winner(explanation, exchange, lookup.Candidate!, error);
    }

    private Explanation Others(Explanation explanation, List<RouteLoss> losses)
    {
        var listed = losses.Where(l => l.FitsPath).ToList();
        listed.AddRange(losses.Where(l => !l.FitsPath).Take(Math.Max(0, MaxOtherPaths - listed.Count)));
        return explanation with { Others = [.. listed.Select(Words)], FurtherRoutes = losses.Count - listed.Count };
    }

    private LosingRoute Words(RouteLoss loss)
    {
        var conditions = PolicyEndpoint.IsNameOfOne(loss.Name)
            ? []
            : ConditionDescriptions.Of(config.Routes[loss.Name].Match, config).ToList();
        return new LosingRoute(
            loss.Name,
            loss.Path,
            [.. loss.Reasons, .. loss.FailedConditions.Select(i => $"condition not met: {conditions[i]}")]
        );
    }

    private Explanation Winner(Explanation explanation, Exchange exchange, Candidate<Route> candidate, GatewayError? error)
    {
        var route = exchange.Route!;
        if (PolicyEndpoint.IsNameOfOne(route.Name)) // it may ask a provider: what it would answer is not found out
            return explanation with
            {
                Route = route.Name,
                Path = route.Template,
                Action = RouteAction.Respond,
                RefusedWith = error?.Rule.Status,
                Refusal = error?.Detail,
            };
        var written = config.Routes[route.Name];
        var status = RouteStatus.Of(route.Name, written, config);
        explanation = explanation with
        {
            Route = route.Name,
            Path = route.Template,
            Action = status.Action,
            Policies = status.Policies,
            Caller = CallerExplainer.Explain(exchange),
            Priority = status.Priority,
            Parameters = Parameters(exchange, candidate),
        };
        if (error is not null)
            return explanation with
            {
                RefusedWith = error.Rule.Status,
                Refusal = Refusal(exchange.RequestTarget.Traits & PathTraits.Refused & ~route.Allowed, error),
            };

        if (explanation.Caller?.Unmet is not null)
            return explanation with
            {
                RefusedWith = ErrorTable.Get(GatewayErrorKind.Forbidden).Status,
                Refusal = "the caller does not meet the rules",
            };

        foreach (var identity in route.Policies.All.OfType<IdentityPolicy>())
            identity.Preview(exchange);

        string? problem = null;
        explanation = route.Target switch
        {
            ForwardTarget forward => explanation with
            {
                Forward = ExplainedForward.Of(written, status, forward.Plan, exchange, config, out problem),
            },
            ComposeTarget compose => explanation with
            {
                Compose = new CompositionExplainer(compose.Plan, written.Compose!, exchange).Explain(),
            },
            RedirectTarget or RespondTarget => explanation with { Answer = Answer(route.Target, exchange, out problem) },
            _ => explanation,
        };
        return problem is null
            ? explanation
            : explanation with
            {
                RefusedWith = ErrorTable.Get(GatewayErrorKind.BadPlaceholder).Status,
                Refusal = problem,
            };
    }

    /// <summary>Returns the client's message and, for the author of the configuration, the key.</summary>
    private static string Refusal(PathTraits refused, GatewayError error) =>
        refused switch
        {
            PathTraits.None => $"{error.Detail}: each route that an interpretation of the path leads to needs the same `match.allow`",
            _ when refused.HasFlag(PathTraits.RawBytes) =>
                "the route does not allow escapes that are not UTF-8 (`match.allow: [rawBytes]`)",
            _ when refused.HasFlag(PathTraits.EncodedSlash) => "the route does not allow encoded slashes (`match.allow: [encodedSlashes]`)",
            _ => "the route does not allow semicolons (`match.allow: [semicolons]`)",
        };

    private KeyValuePair<string, ListenerConfig>? Listener(ExplainRequest request)
    {
        var all = config.EffectiveListeners;
        if (request.Listener is { } name)
            return all.TryGetValue(name, out var named) ? KeyValuePair.Create(name, named) : null;
        var isTls = request.Target.StartsWith("https://", StringComparison.OrdinalIgnoreCase);
        return all.OrderByDescending(l => l.Value.Address.IsTls == isTls).First();
    }

    private static Dictionary<string, string> Parameters(Exchange exchange, Candidate<Route> candidate)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < candidate.Parameters.Count; i++)
        {
            if (exchange.Parameter(i) is { } value)
                values[candidate.Parameters[i]] = value;
        }

        return values;
    }

    /// <summary>Runs a target that answers itself, in memory: such targets answer at once and call no service.</summary>
    private static ExplainedAnswer? Answer(Target target, Exchange exchange, out string? problem)
    {
        using var body = new MemoryStream();
        exchange.Response.Body = body;
        var run = target.RunAsync(exchange);
        problem = run.AsTask().GetAwaiter().GetResult()?.Detail; // it never waits: memory accepts everything
        if (problem is not null)
            return null;
        var headers = exchange.Response.Headers.Select(h => ExplainedForward.Field(h.Key, h.Value.ToString()));
        return new ExplainedAnswer(exchange.Response.StatusCode, [.. headers], Encoding.UTF8.GetString(body.ToArray()));
    }

    private static DefaultHttpContext Context(ExplainRequest request, bool isTls)
    {
        var context = new DefaultHttpContext();
        context.Features.Get<IHttpRequestFeature>()!.RawTarget = request.Target;
        context.Request.Method = request.Method;
        context.Request.Scheme = isTls ? "https" : "http";
        context.Request.Protocol = "HTTP/1.1";
        context.Connection.RemoteIpAddress = IPAddress.Loopback;
        foreach (var (name, value) in request.Headers)
            context.Request.Headers.Append(name, FieldText.ToBytes(value));
        if (Uri.TryCreate(request.Target, UriKind.Absolute, out var address) && address.Scheme is "http" or "https")
            context.Request.Headers.Host = address.Authority;
        else if (context.Request.Headers.Host.Count == 0)
            context.Request.Headers.Host = "localhost";
        context.Features.Set<IHttpRequestBodyDetectionFeature>(new BodyDetection(context.Request));
        return context;
    }

    /// <summary>Nothing is sent, and the usual is assumed: a body with the methods that have one, and where a field says so.</summary>
    private sealed class BodyDetection(HttpRequest request) : IHttpRequestBodyDetectionFeature
    {
        public bool CanHaveBody =>
            HttpMethods.IsPost(request.Method)
            || HttpMethods.IsPut(request.Method)
            || HttpMethods.IsPatch(request.Method)
            || request.ContentLength > 0
            || request.Headers.TransferEncoding.Count > 0;
    }
}
