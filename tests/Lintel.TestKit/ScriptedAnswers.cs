using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Lintel.TestKit;

/// <summary>The answers of a composition's service, by the first segment of the path.</summary>
public abstract class ScriptedAnswers
{
    private readonly ConcurrentDictionary<string, RequestDelegate> _answers = new(StringComparer.Ordinal);

    /// <summary>The service's address.</summary>
    public abstract string Address { get; }

    /// <summary>The requests in their order of arrival.</summary>
    public abstract IReadOnlyCollection<SeenRequest> Seen { get; }

    public static async Task<string> BodyOf(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        return await reader.ReadToEndAsync();
    }

    /// <summary>Answers JSON to <c>/segment</c> and all below it.</summary>
    public ScriptedAnswers On(string segment, string json, params (string Name, string Value)[] headers) => On(segment, 200, json, headers);

    public ScriptedAnswers On(string segment, int status, string json, params (string Name, string Value)[] headers) =>
        On(segment, context =>
        {
            context.Response.StatusCode = status;
            context.Response.ContentType = "application/json";
            foreach (var (name, value) in headers)
                context.Response.Headers[name] = value;
            return status == 204 ? Task.CompletedTask : context.Response.WriteAsync(json);
        });

    public ScriptedAnswers On(string segment, RequestDelegate answer)
    {
        _answers[segment] = answer;
        return this;
    }

    /// <summary>Holds requests below <c>/segment</c> until the test releases them.</summary>
    public HeldAnswer Hold(string segment, string json = "1", int status = 200)
    {
        var held = new HeldAnswer(json, status);
        On(segment, held.AnswerAsync);
        return held;
    }

    public int Count(string segment) => Seen.Count(r => Segment(r.Target) == segment);

    /// <summary>The one request for a segment.</summary>
    public SeenRequest SeenOnce(string segment) => Seen.Single(r => Segment(r.Target) == segment);

    protected Task AnswerAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var segment = Segment(context.Request.Path.Value!);
        if (_answers.TryGetValue(segment, out var answer))
            return answer(context);
        context.Response.StatusCode = 404;
        return context.Response.WriteAsync("\"nothing is said of " + segment + "\"");
    }

    private static string Segment(string target) => target[1..].Split('/', '?')[0];
}

/// <summary>An answer that waits for the test.</summary>
public sealed class HeldAnswer(string json, int status)
{
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _count;

    /// <summary>A request has arrived.</summary>
    public Task Arrived => _arrived.Task.InTimeAsync();

    /// <summary>The gateway has given a request up.</summary>
    public Task Aborted => _aborted.Task.InTimeAsync();

    /// <summary>The number of requests that have arrived.</summary>
    public int Count => Volatile.Read(ref _count);

    public void Release() => _released.TrySetResult();

    public async Task AnswerAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        Interlocked.Increment(ref _count);
        _arrived.TrySetResult();
        try
        {
            await _released.Task.WaitAsync(context.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            _aborted.TrySetResult();
            throw;
        }

        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(json, context.RequestAborted);
    }
}
