using System.Collections.Concurrent;
using System.Text;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lintel.FunctionalTests.Composition;

/// <summary>A service of a composition: what it answers is written by the first segment of the path.</summary>
internal sealed class Backend : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, RequestDelegate> _answers = new(StringComparer.Ordinal);
    private TestService _service = null!;

    public string Address => _service.Address;

    public IReadOnlyCollection<SeenRequest> Seen => _service.Seen;

    /// <summary>Nothing has been asked for yet: for a test that shares it with others.</summary>
    public void Forget() => _service.Seen.Clear();

    public static async Task<Backend> StartAsync(Action<ListenOptions>? listen = null)
    {
        var backend = new Backend();
        backend._service = await TestService.StartAsync(backend.AnswerAsync, listen);
        return backend;
    }

    /// <summary>Answers JSON to <c>/segment</c> and all below it.</summary>
    public Backend On(string segment, string json, params (string Name, string Value)[] headers) => On(segment, 200, json, headers);

    public Backend On(string segment, int status, string json, params (string Name, string Value)[] headers) => On(segment, context =>
        {
            context.Response.StatusCode = status;
            context.Response.ContentType = "application/json";
            foreach (var (name, value) in headers)
                context.Response.Headers[name] = value;
            return status == 204 ? Task.CompletedTask : context.Response.WriteAsync(json);
        });

    public Backend On(string segment, RequestDelegate answer)
    {
        _answers[segment] = answer;
        return this;
    }

    /// <summary>Holds what is asked for below <c>/segment</c> until the test lets go.</summary>
    public Held Hold(string segment, string json = "1", int status = 200)
    {
        var held = new Held(json, status);
        On(segment, held.AnswerAsync);
        return held;
    }

    public int Count(string segment) => Seen.Count(r => Segment(r.Target) == segment);

    public SeenRequest Single(string segment) => Assert.Single(Seen, r => Segment(r.Target) == segment);

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    public static async Task<string> BodyOf(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        return await reader.ReadToEndAsync();
    }

    private static string Segment(string target) => target[1..].Split('/', '?')[0];

    private Task AnswerAsync(HttpContext context)
    {
        var segment = Segment(context.Request.Path.Value!);
        if (_answers.TryGetValue(segment, out var answer))
            return answer(context);
        context.Response.StatusCode = 404;
        return context.Response.WriteAsync("\"nothing is said of " + segment + "\"");
    }
}

/// <summary>An answer that waits for the test.</summary>
internal sealed class Held(string json, int status)
{
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _count;

    /// <summary>A request has come.</summary>
    public Task Arrived => _arrived.Task.InTimeAsync();

    /// <summary>The gateway has given a request up.</summary>
    public Task Aborted => _aborted.Task.InTimeAsync();

    /// <summary>How many requests have come.</summary>
    public int Count => Volatile.Read(ref _count);

    public void Release() => _released.TrySetResult();

    public async Task AnswerAsync(HttpContext context)
    {
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
