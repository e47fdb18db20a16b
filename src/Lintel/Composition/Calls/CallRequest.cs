using Lintel.Composition.Plan;
using Lintel.Errors;
using Lintel.Services;

namespace Lintel.Composition.Calls;

/// <summary>One request to a service, as it is sent: all placeholders are filled in.</summary>
/// <param name="Call">The call that it belongs to.</param>
/// <param name="Service">The destination.</param>
/// <param name="Method">The method.</param>
/// <param name="Target">The escaped path and query, relative to the instance's base path.</param>
internal sealed record CallRequest(PlannedCall Call, Service Service, string Method, string Target)
{
    /// <summary>Fields of this request only.</summary>
    public List<KeyValuePair<string, string>>? Headers { get; init; }

    /// <summary>The body; <see langword="null"/> for none.</summary>
    public ReadOnlyMemory<byte>? Body { get; init; }

    public string ContentType { get; init; } = "application/json";

    /// <summary>The tag of the stored answer, to revalidate it.</summary>
    public string? IfNoneMatch { get; set; }

    /// <summary>The deadline, as a timestamp of the clock.</summary>
    public long Due { get; set; }

    /// <summary>
    /// For a write that can be undone: until when its answer is awaited, as a timestamp of the clock. Once sent, such a request is not cut
    /// off, because its outcome must be known to undo it. <see langword="null"/> for every other request.
    /// </summary>
    public long? AwaitedUntil { get; set; }

    /// <summary>Whether the method is safe (RFC 9110 section 9.2.1).</summary>
    public bool IsSafe => Idempotency.IsSafe(Method);
}
