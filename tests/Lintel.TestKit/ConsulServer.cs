using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Lintel.TestKit;

/// <summary>
/// Consul's <c>/v1/health/service/NAME</c> as its documentation describes it: blocking queries by index, which end when the instances
/// change, or when their time is over.
/// </summary>
public sealed class ConsulServer : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _ended = new();
    private TestService _server = null!;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string _instances = "[]";
    private ulong _index = 1;

    private ConsulServer() { }

    public string Address => _server.Address;

    /// <summary>How many queries have come.</summary>
    public int Queries => _server.Seen.Count;

    /// <summary>The status of further answers.</summary>
    public int Status { get; set; } = 200;

    public static async Task<ConsulServer> StartAsync()
    {
        var consul = new ConsulServer();
        consul._server = await TestService.StartAsync(consul.AnswerAsync);
        return consul;
    }

    /// <summary>Sets the passing instances, by host and port.</summary>
    public void Set(params (string Host, int Port)[] instances) => Say(Json(instances), _index + 1);

    /// <summary>Starts anew with these instances: the index begins at 1 again.</summary>
    public void Restart(params (string Host, int Port)[] instances) => Say(Json(instances), 1);

    /// <summary>Answers with this text from now on.</summary>
    public void Say(string text, ulong index)
    {
        lock (_lock)
        {
            (_instances, _index) = (text, index);
            var changed = _changed;
            _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
            changed.SetResult();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _server.DisposeAsync();
        _ended.Dispose();
    }

    private static string Json((string Host, int Port)[] instances) =>
        "["
        + string.Join(
            ',',
            instances.Select(i =>
                string.Create(
                    CultureInfo.InvariantCulture,
                    $$$"""{"Node":{"Node":"n","Address":"10.9.9.9"},"Service":{"ID":"{{{i.Host}}}","Service":"orders","Address":"{{{i.Host}}}","Port":{{{i.Port}}},"Weights":{"Passing":1,"Warning":1}},"Checks":[]}"""
                )
            )
        )
        + "]";

    private async Task AnswerAsync(HttpContext context)
    {
        var asked = ulong.TryParse(context.Request.Query["index"], out var index) ? index : 0;
        var wait = int.TryParse(context.Request.Query["wait"].ToString().TrimEnd('s'), out var seconds) ? seconds : 300;
        Task changed;
        lock (_lock)
            changed = asked > 0 && asked == _index ? _changed.Task : Task.CompletedTask;
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _ended.Token);
        await Task.WhenAny(changed, Task.Delay(TimeSpan.FromSeconds(wait), ends.Token));
        string text;
        lock (_lock)
            (text, index) = (_instances, _index);
        context.Response.StatusCode = context.Request.Path == "/v1/health/service/orders" ? Status : 404;
        context.Response.Headers["X-Consul-Index"] = index.ToString(CultureInfo.InvariantCulture);
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(text, ends.Token);
    }
}
