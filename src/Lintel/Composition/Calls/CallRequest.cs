using Lintel.Composition.Plan;
using Lintel.Errors;
using Lintel.Services;

namespace Lintel.Composition.Calls;

/// <summary>One request to a service, as it is sent: all placeholders filled in.</summary>
/// <param name="Call">Whose request it is.</param>
/// <param name="Service">Where it goes.</param>
/// <param name="Method">Its method.</param>
/// <param name="Target">Path and query, escaped, below the instance's base path.</param>
internal sealed record CallRequest(PlannedCall Call, Service Service, string Method, string Target)
{
    /// <summary>Fields of this request alone.</summary>
    public List<KeyValuePair<string, string>>? Headers { get; init; }

    /// <summary>The body; <see langword="null"/> for none.</summary>
    public ReadOnlyMemory<byte>? Body { get; init; }

    public string ContentType { get; init; } = "application/json";

    /// <summary>Asks whether an answer that is kept still holds.</summary>
    public string? IfNoneMatch { get; set; }

    /// <summary>When it has to be over, by the clock's timestamps.</summary>
    public long Due { get; set; }

    /// <summary>
    /// For a write that can be undone: until when its answer is awaited, by the clock's timestamps. Once such a request is sent it is not
    /// cut off, for what it did has to be known to be undone. <see langword="null"/> for every other request.
    /// </summary>
    public long? AwaitedUntil { get; set; }

    /// <summary>Whether it changes nothing (RFC 9110 section 9.2.1).</summary>
    public bool IsSafe => Idempotency.IsSafe(Method);
}
