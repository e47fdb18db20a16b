using System.Diagnostics.CodeAnalysis;

namespace Lintel.Policies.Custom;

/// <summary>The answer of a policy of the application in place of the route's action.</summary>
[Experimental(GatewayPolicy.Id)]
public sealed class PolicyAnswer
{
    /// <summary>The answer.</summary>
    /// <param name="status">The status, from 200 to 599.</param>
    /// <exception cref="ArgumentOutOfRangeException">The status is not in this range.</exception>
    public PolicyAnswer(int status)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(status, 200);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(status, 599);
        Status = status;
    }

    /// <summary>The status of the response.</summary>
    public int Status { get; }

    /// <summary>Fields of the response. Default: none.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>The <c>Content-Type</c>. Default <c>text/plain; charset=utf-8</c>; not sent without a body.</summary>
    public string ContentType { get; init; } = "text/plain; charset=utf-8";

    /// <summary>The body. Default: empty. Not sent in answer to HEAD, nor with a status that does not allow one.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }
}
