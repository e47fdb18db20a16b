namespace Lintel.Control;

/// <summary>
/// The limits of the admin address, which bound the cost of one caller or many. Probes, scrapers and a few operators need far less.
/// </summary>
internal static class AdminLimits
{
    /// <summary>
    /// The maximum number of connections; for a further one the longest idle one is closed. With the header limit below at most 4 MiB of
    /// partial requests.
    /// </summary>
    public const int Connections = 256;

    /// <summary>
    /// Additional connections, used while all the others have requests in progress; a further one is closed at once. They leave room for
    /// probes that connect last.
    /// </summary>
    public const int BusyConnections = 64;

    /// <summary>The maximum request body. Most endpoints read none; what is sent is discarded, up to this limit.</summary>
    public const int BodyBytes = 64 * 1024;

    /// <summary>The maximum request body where one is read: a reason of the maximum length, all of it escaped, is shorter.</summary>
    public const int ReadBodyBytes = 4 * 1024;

    /// <summary>The maximum size of the header fields. Half of Kestrel's default (32 KiB): enough for a browser with its cookies.</summary>
    public const int HeaderBytes = 16 * 1024;

    /// <summary>The maximum number of header fields. Below Kestrel's default (100): browsers send about 15.</summary>
    public const int Headers = 64;

    /// <summary>The maximum request line. Kestrel's default and that of nginx's <c>large_client_header_buffers</c>.</summary>
    public const int RequestLineBytes = 8 * 1024;

    /// <summary>
    /// The number of <c>/api/v1</c> answers that are produced at a time: further callers wait. Health and metrics do not count.
    /// </summary>
    public const int Answers = 2;

    /// <summary>The pause after an answer, as a multiple of its duration.</summary>
    public const int Rest = 3;

    /// <summary>The minimum rate at which an answer must be read: a stalled one releases its slot.</summary>
    public const double ResponseBytesPerSecond = 16 * 1024;

    /// <summary>From the first byte of a request to the end of its head; Kestrel's default is 30 s, for remote clients.</summary>
    public static readonly TimeSpan HeaderTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The idle time before the next request, or the first; a common scrape interval of Prometheus is 15 s.</summary>
    public static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(30);

    /// <summary>How long a slow reader may stay below the minimum rate; Kestrel's default.</summary>
    public static readonly TimeSpan ResponseGrace = TimeSpan.FromSeconds(5);

    /// <summary>The maximum pause: an answer to a slow reader took long but cost little.</summary>
    public static readonly TimeSpan LongestRest = TimeSpan.FromSeconds(1);

    /// <summary>How long a caller waits for one of <see cref="Answers"/>.</summary>
    public static readonly TimeSpan AnswerWait = TimeSpan.FromSeconds(10);
}
