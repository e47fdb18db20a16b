using System.Diagnostics;
using Microsoft.AspNetCore.Http;

namespace Lintel.Control.AdminApi;

/// <summary>Handles a request at the admin address, from top to bottom.</summary>
internal sealed class AdminRequests(AdminEndpoints endpoints) : IDisposable
{
    private readonly SemaphoreSlim _answers = new(AdminLimits.Answers);

    public void Dispose() => _answers.Dispose();

    public async Task RunAsync(HttpContext context, AdminGuard guard, RequestDelegate next)
    {
        var (request, headers) = (context.Request, context.Response.Headers);
        headers.CacheControl = "no-store";
        headers.XContentTypeOptions = "nosniff";

        var endpoint = endpoints.Find(request.Path.Value ?? "", out var name);
        if (endpoint is MetricsEndpoint && !guard.HasMetrics)
            endpoint = null;
        var problem = guard.Check(context, endpoint is { IsOpen: true }) ?? Check(context, endpoint);
        if (problem is null)
            problem = endpoint is { IsHealth: true } or { IsChange: true } or MetricsEndpoint
                ? await endpoint.RunAsync(context, name, next).ConfigureAwait(false)
                : await WaitAndRunAsync(endpoint!, context, name, next).ConfigureAwait(false);
        if (problem is not null)
            await WriteAsync(context, problem).ConfigureAwait(false);
    }

    private static Problem? Check(HttpContext context, AdminEndpoint? endpoint)
    {
        if (endpoint is null)
            return Problems.NotFound;
        var isAllowed = endpoint.IsChange ? context.Request.Method is "POST" : context.Request.Method is "GET" or "HEAD"; // case-sensitive
        if (!isAllowed)
        {
            context.Response.Headers.Allow = endpoint.Methods;
            return Problems.MethodNotAllowed(endpoint.Methods);
        }

        if (context.Request.ContentLength is not > AdminLimits.BodyBytes)
            return null;
        context.Response.Headers.Connection = "close"; // the body is being sent and is not read
        return Problems.BodyTooLarge;
    }

    /// <summary>
    /// Runs at most two answers at a time, each followed by a pause of three times its duration: a caller that requests ten
    /// thousand routes repeatedly uses half a core at most, so that clients' requests are still served.
    /// </summary>
    private async Task<Problem?> WaitAndRunAsync(AdminEndpoint endpoint, HttpContext context, string name, RequestDelegate next)
    {
        if (!await _answers.WaitAsync(AdminLimits.AnswerWait, context.RequestAborted).ConfigureAwait(false))
        {
            context.Response.Headers.RetryAfter = "1";
            return Problems.Busy;
        }

        var started = Stopwatch.GetTimestamp();
        try
        {
            return await endpoint.RunAsync(context, name, next).ConfigureAwait(false);
        }
        finally
        {
            _ = RestAsync(Stopwatch.GetElapsedTime(started) * AdminLimits.Rest);
        }
    }

    /// <summary>Releases the slot after a pause. The answer does not wait for it.</summary>
    private async Task RestAsync(TimeSpan rest)
    {
        if (rest > TimeSpan.FromMilliseconds(1))
            await Task.Delay(rest < AdminLimits.LongestRest ? rest : AdminLimits.LongestRest).ConfigureAwait(false);
        try
        {
            _answers.Release();
        }
        catch (ObjectDisposedException)
        {
            // The server has stopped in the meantime.
        }
    }

    private static async Task WriteAsync(HttpContext context, Problem problem)
    {
        context.Response.StatusCode = problem.Status;
        var body = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(problem, AdminJson.Default.Problem);
        context.Response.ContentType = "application/problem+json";
        context.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
            await context.Response.Body.WriteAsync(body, context.RequestAborted).ConfigureAwait(false);
    }
}
