using Lintel.Errors;

namespace Lintel.Composition.Answers;

/// <summary>A service's answer to one request.</summary>
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

    /// <summary>The target of a redirect; used only if the answer passes through.</summary>
    public string? Location { get; set; }

    public string? RetryAfter { get; set; }

    /// <summary>The authentication challenge for the client: <c>WWW-Authenticate</c>.</summary>
    public string? Challenge { get; set; }

    /// <summary>The redirect that led here; <see langword="null"/> for none. Its caching directives count too.</summary>
    public CallAnswer? RedirectedBy { get; set; }

    public AnswerBody Body { get; private set; } = new();

    /// <summary>Whether the body has been converted to JSON text.</summary>
    public bool IsNormalized { get; set; }

    /// <summary>Why the body could not be converted to JSON text.</summary>
    public GatewayError? Problem { get; set; }

    /// <summary>The amount of work to read it, in bytes. A compressed body may have any length.</summary>
    public long Work => ContentEncoding is null || IsNormalized ? Body.Length : OffLoop.Threshold;

    /// <summary>Whether the status is a success: any 2xx, also one without content.</summary>
    public bool IsSuccess => Status is >= 200 and < 300;

    /// <summary>Copies the answer, with bytes of its own.</summary>
    public CallAnswer Copy()
    {
        var copy = (CallAnswer)MemberwiseClone();
        copy.Body = new AnswerBody();
        copy.Body.Replace(Body.Span);
        return copy;
    }

    /// <summary>Keeps a field, if compositions use it.</summary>
    public void Take(string name, string value)
    {
        // By length first: of the ten fields of a usual head, most are rejected here.
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
                if (ContentType is not null) // a singleton field (RFC 9110 section 8.3): of two, recipients disagree which applies
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

    /// <summary>Joins the lines of a list-based field into one list (RFC 9110 section 5.3).</summary>
    private static string Join(string? before, string value) => before is null ? value : before + ", " + value;
}
