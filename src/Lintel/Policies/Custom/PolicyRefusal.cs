using System.Diagnostics.CodeAnalysis;

namespace Lintel.Policies.Custom;

/// <summary>Why a policy of the application refuses a request. It is answered with a problem (RFC 9457).</summary>
[Experimental(GatewayPolicy.Id)]
public sealed class PolicyRefusal
{
    /// <summary>The refusal.</summary>
    /// <param name="status">The status, from 400 to 599.</param>
    /// <param name="detail">A sentence that is shown to the client; <see langword="null"/> for none.</param>
    /// <exception cref="ArgumentOutOfRangeException">The status is not in this range.</exception>
    public PolicyRefusal(int status, string? detail = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(status, 400);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(status, 599);
        (Status, Detail) = (status, detail);
    }

    /// <summary>The status of the response.</summary>
    public int Status { get; }

    /// <summary>A sentence that is shown to the client.</summary>
    public string? Detail { get; }

    /// <summary>Additional fields of the response, such as <c>WWW-Authenticate</c>. Default: none.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];
}
