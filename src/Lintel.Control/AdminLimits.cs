namespace Lintel.Control;

/// <summary>What one caller, or many, can cost at most. Probes, scrapers and a few operators need far less.</summary>
internal static class AdminLimits
{
    /// <summary>
    /// Open connections; for a further one the one that has been without a request for longest is closed. With the header limit below at
    /// most 4 MiB of half-sent requests.
    /// </summary>
    public const int Connections = 256;

    /// <summary>
    /// Connections beyond these, for where all the others have requests under way; a further one is closed at once. Probes are among those
    /// who come last.
    /// </summary>
    public const int BusyConnections = 64;

    /// <summary>Nothing here reads a body; what is sent is thrown away, up to this.</summary>
    public const int BodyBytes = 64 * 1024;

    /// <summary>Half of Kestrel's default (32 KiB): enough for a browser with its cookies.</summary>
    public const int HeaderBytes = 16 * 1024;

    /// <summary>Below Kestrel's default (100): browsers send about 15.</summary>
    public const int Headers = 64;

    /// <summary>Kestrel's default and nginx' <c>large_client_header_buffers</c>.</summary>
    public const int RequestLineBytes = 8 * 1024;

    /// <summary>Answers of <c>/api/v1</c> that are made at one time: callers beyond wait. Health and metrics do not count.</summary>
    public const int Answers = 2;

    /// <summary>The rest after an answer, as a multiple of the time that it took.</summary>
    public const int Rest = 3;

    /// <summary>The least speed at which an answer must be read: one that stands still gives its place to the next.</summary>
    public const double ResponseBytesPerSecond = 16 * 1024;

    /// <summary>From the first byte of a request to the end of its head; Kestrel's default is 30 s, for clients far away.</summary>
    public static readonly TimeSpan HeaderTimeout = TimeSpan.FromSeconds(10);

    /// <summary>For the next request, or the first; Prometheus scrapes every 15 s by many people's choice.</summary>
    public static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(30);

    /// <summary>Kestrel's default: how long a slow reader may stay below the speed.</summary>
    public static readonly TimeSpan ResponseGrace = TimeSpan.FromSeconds(5);

    /// <summary>A slow reader's answer took long and cost little.</summary>
    public static readonly TimeSpan LongestRest = TimeSpan.FromSeconds(1);

    /// <summary>How long a caller waits for one of <see cref="Answers"/>.</summary>
    public static readonly TimeSpan AnswerWait = TimeSpan.FromSeconds(10);
}
