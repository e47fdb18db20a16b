using System.Collections.Concurrent;
using System.Net;
using System.Text;

namespace Lintel.Tests;

/// <summary>A request that a service in memory has got.</summary>
internal sealed record MemoryRequest(string Method, string Host, string Target, string? Body, HttpRequestMessage Message)
{
    public string? this[string name] =>
        Message.Headers.NonValidated.TryGetValues(name, out var values)
        || (Message.Content?.Headers.NonValidated.TryGetValues(name, out values) ?? false)
            ? values.ToString()
            : null;
}

/// <summary>
/// Services without sockets: what they answer is written by the first segment of the path. Stands behind the path that .NET's handler goes,
/// with the calls' own code above it.
/// </summary>
internal sealed class MemoryService : HttpMessageHandler
{
    private readonly ConcurrentDictionary<string, Func<MemoryRequest, CancellationToken, Task<HttpResponseMessage>>> _answers = new(
        StringComparer.Ordinal
    );
    private readonly List<MemoryRequest> _seen = [];

    /// <summary>The requests in the order in which they came.</summary>
    public IReadOnlyList<MemoryRequest> Seen
    {
        get
        {
            lock (_seen)
                return [.. _seen];
        }
    }

    public IEnumerable<string> Targets => Seen.Select(r => r.Target);

    public static HttpResponseMessage Json(string json, int status = 200, params (string Name, string Value)[] headers)
    {
        var response = new HttpResponseMessage((HttpStatusCode)status)
        {
            Content = new StringContent(json, Encoding.UTF8, "application/json"),
        };
        foreach (var (name, value) in headers)
        {
            if (!response.Headers.TryAddWithoutValidation(name, value))
                response.Content.Headers.TryAddWithoutValidation(name, value);
        }

        return response;
    }

    public MemoryService On(string segment, string json, params (string Name, string Value)[] headers) => On(segment, 200, json, headers);

    public MemoryService On(string segment, int status, string json = "null", params (string Name, string Value)[] headers) =>
        On(segment, _ => Json(json, status, headers));

    public MemoryService On(string segment, Func<MemoryRequest, HttpResponseMessage> answer) =>
        On(segment, (request, _) => Task.FromResult(answer(request)));

    public MemoryService On(string segment, Func<MemoryRequest, CancellationToken, Task<HttpResponseMessage>> answer)
    {
        _answers[segment] = answer;
        return this;
    }

    /// <summary>Holds what is asked for below a segment until the test lets go.</summary>
    public MemoryHold Hold(string segment, string json = "1")
    {
        var hold = new MemoryHold(json);
        On(segment, (_, cancellation) => hold.AnswerAsync(cancellation));
        return hold;
    }

    public int Count(string segment) => Targets.Count(t => Segment(t) == segment);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var seen = new MemoryRequest(
            request.Method.Method,
            request.RequestUri!.Host,
            request.RequestUri.PathAndQuery,
            request.Content is { } content ? await content.ReadAsStringAsync(cancellationToken) : null,
            request
        );
        lock (_seen)
            _seen.Add(seen);
        var response = _answers.TryGetValue(Segment(seen.Target), out var answer)
            ? await answer(seen, cancellationToken)
            : Json("null", 404);
        response.RequestMessage = request;
        return response;
    }

    private static string Segment(string target) => target[1..].Split('/', '?')[0];
}

/// <summary>Answers that wait for the test.</summary>
internal sealed class MemoryHold(string json)
{
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _count;

    /// <summary>A request has come.</summary>
    public Task Arrived => _arrived.Task.WaitAsync(TimeSpan.FromMinutes(1));

    /// <summary>The gateway has given a request up.</summary>
    public Task Aborted => _aborted.Task.WaitAsync(TimeSpan.FromMinutes(1));

    public int Count => Volatile.Read(ref _count);

    public void Release() => _released.TrySetResult();

    public async Task<HttpResponseMessage> AnswerAsync(CancellationToken cancellation)
    {
        Interlocked.Increment(ref _count);
        _arrived.TrySetResult();
        try
        {
            await _released.Task.WaitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            _aborted.TrySetResult();
            throw;
        }

        return MemoryService.Json(json);
    }
}
