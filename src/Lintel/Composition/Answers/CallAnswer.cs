using Lintel.Errors;
using Lintel.Services;

namespace Lintel.Composition.Answers;

/// <summary>What a service answered to one request.</summary>
internal sealed class CallAnswer
{
    public required int Status { get; init; }

    public string? ContentType { get; set; }

    public string? ContentEncoding { get; set; }

    public string? ETag { get; set; }

    public string? LastModified { get; set; }

    public string? CacheControl { get; set; }

    public string? Expires { get; set; }

    public string? Date { get; set; }

    public string? Age { get; set; }

    public string? Vary { get; set; }

    /// <summary>Where a redirect leads; of use only where the answer passes through.</summary>
    public string? Location { get; set; }

    public string? RetryAfter { get; set; }

    /// <summary>How the client is to identify itself: <c>WWW-Authenticate</c>.</summary>
    public string? Challenge { get; set; }

    /// <summary>The redirect that led here; <see langword="null"/> where none did. What it says of caching counts too.</summary>
    public CallAnswer? RedirectedBy { get; set; }

    public AnswerBody Body { get; private set; } = new();

    /// <summary>Whether the body is JSON text by now, whatever it came as.</summary>
    public bool IsNormalized { get; set; }

    /// <summary>Why the body could not become JSON text.</summary>
    public GatewayError? Problem { get; set; }

    /// <summary>How much there is to read, in bytes. What is compressed may be any length.</summary>
    public long Work => ContentEncoding is null || IsNormalized ? Body.Length : OffLoop.Threshold;

    /// <summary>Any 2xx is a success, also one without content.</summary>
    public bool IsSuccess => Status is >= 200 and < 300;

    /// <summary>The same for somebody else, with bytes of its own.</summary>
    public CallAnswer Copy()
    {
        var copy = (CallAnswer)MemberwiseClone();
        copy.Body = new AnswerBody();
        copy.Body.Replace(Body.Span);
        return copy;
    }

    /// <summary>Keeps a field, if it is one that compositions look at.</summary>
    public void Take(string name, string value)
    {
        // By length first: of a usual head's ten fields, most go no further.
        switch (name.Length)
        {
            case 3 when Is(name, "Age"):
                Age = value;
                break;
            case 4 when Is(name, "ETag"):
                ETag = value;
                break;
            case 4 when Is(name, "Date"):
                Date = value;
                break;
            case 4 when Is(name, "Vary"):
                Vary = Join(Vary, value);
                break;
            case 7 when Is(name, "Expires"):
                Expires = value;
                break;
            case 8 when Is(name, "Location"):
                Location = value;
                break;
            case 11 when Is(name, "Retry-After"):
                RetryAfter = value;
                break;
            case 12 when Is(name, "Content-Type"):
                if (ContentType is not null) // a singleton field (RFC 9110 section 8.3): which of two is meant, readers decide differently
                    Problem = new GatewayError(
                        GatewayErrorKind.MalformedAnswer,
                        Cause: new NotSupportedException("The response has more than one Content-Type.")
                    );
                ContentType = value;
                break;
            case 13 when Is(name, "Cache-Control"):
                CacheControl = Join(CacheControl, value);
                break;
            case 13 when Is(name, "Last-Modified"):
                LastModified = value;
                break;
            case 16 when Is(name, "WWW-Authenticate"):
                Challenge = Join(Challenge, value);
                break;
            case 16 when Is(name, "Content-Encoding"):
                ContentEncoding = Join(ContentEncoding, value);
                break;
        }
    }

    private static bool Is(string name, string known) =>
        ReferenceEquals(name, known) || name.Equals(known, StringComparison.OrdinalIgnoreCase);

    /// <summary>Lines of one list-based field are one list (RFC 9110 section 5.3).</summary>
    private static string Join(string? before, string value) => before is null ? value : before + ", " + value;
}

/// <summary>How a request to a service ended: with an answer of whatever status, or an error.</summary>
internal readonly record struct CallOutcome(CallAnswer? Answer, GatewayError? Error)
{
    /// <summary>The instance that was asked last; <see langword="null"/> where none was.</summary>
    public Instance? Instance { get; init; }

    /// <summary>Whether the request may have reached the service.</summary>
    public bool WasSent { get; init; }

    /// <summary>
    /// Whether the service may have done what it was asked for and nobody knows: there is no answer, only a gateway's that had none (RFC
    /// 9110 sections 15.6.3 and 15.6.5), or one that leads elsewhere as it is usual after a form was sent (section 15.4.4).
    /// </summary>
    public bool IsUncertain => Answer is null ? WasSent : Answer.Status is 301 or 302 or 303 or 502 or 504;

    /// <summary>
    /// Whether the service has done what it was asked for: it says so with a success, or said so with a 303 that led to the answer.
    /// </summary>
    public bool IsDone => LedFromAWrite || Answer is { IsSuccess: true };

    /// <summary>Whether the answer was reached by a 303 (See Other) of a request that changed something.</summary>
    public bool LedFromAWrite { get; init; }

    public static implicit operator CallOutcome(CallAnswer answer) => new(answer, null);

    public static implicit operator CallOutcome(GatewayError error) => new(null, error);
}
