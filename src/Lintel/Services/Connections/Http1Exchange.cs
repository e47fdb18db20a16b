namespace Lintel.Services.Connections;

/// <summary>
/// One request on an HTTP/1.1 connection to an instance, as the connection's stream knows it: SocketsHttpHandler itself tells of neither
/// interim responses nor early ones.
/// </summary>
/// <param name="interim">Told of each interim response but 100 and 101, before anything that follows it is read; <see langword="null"/> if
/// nobody wants them.</param>
internal sealed class Http1Exchange(Func<int, List<KeyValuePair<string, string>>, ValueTask>? interim)
{
    /// <summary>
    /// The exchange of the request that flows here; the stream finds it when the request's head is written to it. No state of its own: each
    /// flow sets it for itself.
    /// </summary>
    public static readonly AsyncLocal<Http1Exchange?> Current = new();

    public Func<int, List<KeyValuePair<string, string>>, ValueTask>? Interim { get; } = interim;

    /// <summary>Gives the trailers of a chunked request once its body was read; <see langword="null"/> for none.</summary>
    public Func<IEnumerable<KeyValuePair<string, string>>>? Trailers { get; init; }

    /// <summary>
    /// Whether the body goes past the handler. A response that begins before its end then closes the connection, for nobody knows when the
    /// body ends.
    /// </summary>
    public bool StreamsBody { get; set; }

    /// <summary>Where the request went; <see langword="null"/> before anything was written.</summary>
    public Http1Stream? Stream { get; set; }
}
