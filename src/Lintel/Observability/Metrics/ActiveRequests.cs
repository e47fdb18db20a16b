using System.Diagnostics.Metrics;

namespace Lintel.Observability.Metrics;

/// <summary>
/// Requests in flight, by method and scheme. Counted here and observed by collections: an instrument that is updated with every change
/// costs more than the change.
/// </summary>
internal sealed class ActiveRequests
{
    /// <summary>In the order of their places; unknown ones share the last.</summary>
    private static readonly string[] Methods =
    [
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "CONNECT",
        "TRACE",
        "QUERY",
        GatewayMetrics.OtherMethod,
    ];

    /// <summary>A cache line: loops that serve different methods do not disturb each other.</summary>
    private const int Stride = 8;

    private readonly long[] _counts = new long[Methods.Length * 2 * Stride];
    private readonly bool[] _wasUsed = new bool[Methods.Length * 2];

    /// <summary>A request begins.</summary>
    /// <returns>The place that it is counted in: what a request is called may change underway.</returns>
    public int Enter(string method, string scheme)
    {
        var place = Place(method, scheme);
        if (!_wasUsed[place])
            _wasUsed[place] = true;
        Interlocked.Increment(ref _counts[place * Stride]);
        return place;
    }

    public void Exit(int place) => Interlocked.Decrement(ref _counts[place * Stride]);

    /// <summary>All of them.</summary>
    public long Total()
    {
        var sum = 0L;
        for (var at = 0; at < _counts.Length; at += Stride)
            sum += Volatile.Read(ref _counts[at]);
        return sum;
    }

    /// <summary>A series for each pair that there was.</summary>
    public IEnumerable<Measurement<long>> Observe()
    {
        for (var place = 0; place < _wasUsed.Length; place++)
        {
            if (_wasUsed[place])
                yield return new Measurement<long>(
                    Volatile.Read(ref _counts[place * Stride]),
                    new KeyValuePair<string, object?>("http.request.method", Methods[place / 2]),
                    new("url.scheme", place % 2 == 0 ? "http" : "https")
                );
        }
    }

    private static int Place(string method, string scheme)
    {
        var index = method switch
        {
            "GET" => 0,
            "HEAD" => 1,
            "POST" => 2,
            "PUT" => 3,
            "PATCH" => 4,
            "DELETE" => 5,
            "OPTIONS" => 6,
            "CONNECT" => 7,
            "TRACE" => 8,
            "QUERY" => 9,
            _ => 10,
        };
        return (2 * index) + (scheme == "https" ? 1 : 0);
    }
}
