using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Lintel.Control.AdminApi;

/// <summary>One endpoint of the admin API. The same object answers requests and is described, so that the two cannot differ.</summary>
/// <param name="path">The path; <c>{name}</c> and <c>{instance}</c> are placeholders.</param>
/// <param name="summary">The description, in one sentence.</param>
internal abstract class AdminEndpoint(string path, string summary)
{
    /// <summary>Where the public keys of the gateway are: services that verify its tokens need no token to read them.</summary>
    public const string KeySetPath = "/.well-known/jwks.json";

    public string Path { get; } = path;

    public string Summary { get; } = summary;

    /// <summary>Whether the path ends with a name.</summary>
    public bool TakesName { get; } = path.EndsWith("/{name}", StringComparison.Ordinal);

    /// <summary>Whether it answers without a token and without waiting: probes have no credentials and short timeouts.</summary>
    public bool IsHealth { get; } = path.StartsWith("/health/", StringComparison.Ordinal);

    /// <summary>Whether it answers without a token: probes, and what is public anyway.</summary>
    public bool IsOpen => IsHealth || Path == KeySetPath;

    /// <summary>Whether it changes something: a POST, which does not wait for the answers of others.</summary>
    public virtual bool IsChange => false;

    /// <summary>The methods that it answers, as in <c>Allow</c>.</summary>
    public string Methods => IsChange ? "POST" : "GET, HEAD";

    /// <summary>The type of its JSON request bodies; <see langword="null"/> if it takes none.</summary>
    public virtual JsonTypeInfo? Body => null;

    /// <summary>The type of its JSON answers; <see langword="null"/> if they are not JSON.</summary>
    public abstract JsonTypeInfo? Answer { get; }

    /// <summary>Status codes of answers of that type.</summary>
    public virtual IReadOnlyList<int> Statuses => [StatusCodes.Status200OK];

    /// <summary>Answers the request, or returns the problem.</summary>
    /// <param name="context">The request.</param>
    /// <param name="name">The name in the path; empty if it has none.</param>
    /// <param name="next">The next middleware.</param>
    public abstract Task<Problem?> RunAsync(HttpContext context, string name, RequestDelegate next);

    /// <summary>Writes a JSON answer.</summary>
    protected static async Task WriteAsync<T>(HttpContext context, T answer, JsonTypeInfo<T> form)
    {
        context.Response.ContentType = "application/json";

        // Streamed while it is serialized, some kilobytes at a time: ten thousand routes are never one block of memory.
        if (!HttpMethods.IsHead(context.Request.Method))
            await JsonSerializer.SerializeAsync(context.Response.BodyWriter, answer, form, context.RequestAborted).ConfigureAwait(false);
    }
}

/// <summary>An endpoint that answers with JSON.</summary>
/// <typeparam name="T">The type of the answer.</typeparam>
internal sealed class AdminEndpoint<T>(string path, string summary, JsonTypeInfo<T> form, Func<string, T?> look)
    : AdminEndpoint(path, summary)
    where T : class
{
    public override JsonTypeInfo Answer => form;

    /// <summary>Returns the status code of an answer, if it is not always 200.</summary>
    public Func<T, int>? StatusOf { get; init; }

    public override IReadOnlyList<int> Statuses =>
        StatusOf is null ? base.Statuses : [StatusCodes.Status200OK, StatusCodes.Status503ServiceUnavailable];

    public override async Task<Problem?> RunAsync(HttpContext context, string name, RequestDelegate next)
    {
        if (look(name) is not { } answer)
            return Problems.NoSuch(Path.Split('/')[^2].TrimEnd('s'), name);
        context.Response.StatusCode = StatusOf?.Invoke(answer) ?? StatusCodes.Status200OK;
        await WriteAsync(context, answer, form).ConfigureAwait(false);
        return null;
    }
}

/// <summary>The metrics: answered by the middleware of another component.</summary>
internal sealed class MetricsEndpoint() : AdminEndpoint("/metrics", "The metrics in Prometheus text format.")
{
    public override JsonTypeInfo? Answer => null;

    public override async Task<Problem?> RunAsync(HttpContext context, string name, RequestDelegate next)
    {
        await next(context).ConfigureAwait(false);
        return null;
    }
}
