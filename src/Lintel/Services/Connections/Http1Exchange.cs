namespace Lintel.Services.Connections;

/// <summary>
/// One request on an HTTP/1.1 connection to an instance, as seen by the connection's stream: SocketsHttpHandler itself reports neither
/// interim responses nor early ones.
/// </summary>
/// <param name="interim">Called for each interim response except 100 and 101, before anything after it is read; <see langword="null"/> if
/// not needed.</param>
internal sealed class Http1Exchange(Func<int, List<KeyValuePair<string, string>>, ValueTask>? interim)
{
    /// <summary>
    /// The exchange of the current asynchronous flow, which the stream reads when the request's head is written to it. Not shared state:
    /// each flow sets its own value.
    /// </summary>
    public static readonly AsyncLocal<Http1Exchange?> Current = new();

    public Func<int, List<KeyValuePair<string, string>>, ValueTask>? Interim { get; } = interim;

    /// <summary>Provides the trailers of a chunked request after its body was read; <see langword="null"/> for none.</summary>
    public Func<IEnumerable<KeyValuePair<string, string>>>? Trailers { get; init; }

    /// <summary>
    /// Whether the body bypasses the handler. A response that begins before the end of the body then closes the connection, because the end
    /// of the body is not known.
    /// </summary>
    public bool StreamsBody { get; set; }

    /// <summary>The stream that the request was written to; <see langword="null"/> before anything was written.</summary>
    public Http1Stream? Stream { get; set; }
}
