using System.Net;
using Lintel.Carriers;
using Lintel.Pipeline;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Tests;

/// <summary>Requests without a server.</summary>
internal static class TestRequest
{
    public static DefaultHttpContext Create(
        string method,
        string target,
        string host = "gateway.test",
        params (string Name, string Value)[] headers
    )
    {
        var context = new DefaultHttpContext();
        context.Features.Get<IHttpRequestFeature>()!.RawTarget = target;
        context.Request.Method = method;
        context.Request.Scheme = "http";
        context.Request.Protocol = "HTTP/1.1";
        context.Request.Headers.Host = host;
        var mark = target.IndexOf('?', StringComparison.Ordinal);
        if (mark >= 0)
            context.Request.QueryString = new QueryString(target[mark..]);
        foreach (var (name, value) in headers)
        {
            if (name == "Host")
                context.Request.Headers.Host = value;
            else
                context.Request.Headers.Append(name, value);
        }

        context.Connection.RemoteIpAddress = IPAddress.Parse("192.0.2.1");
        return context;
    }

    /// <summary>The request as the gateway sees it.</summary>
    public static ClientRequest AsClient(this HttpContext context) => new(context);

    /// <summary>The request as the gateway sees it.</summary>
    public static ClientRequest AsClient(this HttpRequest request) => new(request.HttpContext);

    /// <summary>The exchange of a request that must match a route of the snapshot.</summary>
    public static Exchange Matched(Snapshot snapshot, HttpContext context)
    {
        var exchange = new Exchange();
        exchange.Begin(context.AsClient(), snapshot, 0);
        Assert.True(
            RequestTarget.TryParse(context.Features.Get<IHttpRequestFeature>()!.RawTarget, out var target, out var problem),
            problem
        );
        exchange.RequestTarget = target;
        var lookup = default(RouteLookup<Route>);
        snapshot.Routes.Find(exchange.Routed, target.Path, ref lookup);
        Assert.Equal(RouteOutcome.Found, lookup.Outcome);
        exchange.Matched(ref lookup);
        return exchange;
    }
}
