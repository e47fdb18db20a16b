using System.Text.Json.Serialization;
using Lintel.Config;
using Lintel.Control.Status;

namespace Lintel.Control.Explaining;

/// <summary>What would happen to a request. Nothing has been sent.</summary>
internal sealed record Explanation
{
    /// <summary>The problems of the configuration; if there are any, nothing else is set.</summary>
    [JsonIgnore]
    public ConfigReport Report { get; init; } = new();

    /// <summary>The request's method.</summary>
    public string Method { get; init; } = "";

    /// <summary>Path and query as routes and services see them: normalized.</summary>
    public string Target { get; init; } = "";

    /// <summary>The host that routes are matched against.</summary>
    public string Host { get; init; } = "";

    /// <summary>The name of the listener that the request is assumed to arrive on.</summary>
    public string Listener { get; init; } = "";

    /// <summary>The status with which the gateway itself refuses the request; <see langword="null"/> if it does not.</summary>
    public int? RefusedWith { get; init; }

    /// <summary>Why the request is refused.</summary>
    public string? Refusal { get; init; }

    /// <summary>The route that matches; <see langword="null"/> for none.</summary>
    public string? Route { get; init; }

    /// <summary>The first path of the matching route, as configured.</summary>
    public string? Path { get; init; }

    /// <summary>What the route does.</summary>
    public RouteAction? Action { get; init; }

    /// <summary>The values of the route's parameters, escaped.</summary>
    public IReadOnlyDictionary<string, string> Parameters { get; init; } = new Dictionary<string, string>();

    /// <summary>Routes that do not match, the nearest first: all with a matching path, or the ten nearest.</summary>
    public IReadOnlyList<LosingRoute> Others { get; init; } = [];

    /// <summary>The number of further routes that do not match because of their path.</summary>
    public int FurtherRoutes { get; init; }

    /// <summary>The names of the policies that apply, in their order.</summary>
    public IReadOnlyList<string> Policies { get; init; } = [];

    /// <summary>What the route demands of its callers; <see langword="null"/> if it demands nothing.</summary>
    public ExplainedCaller? Caller { get; init; }

    /// <summary>The route's priority: which requests are shed first while the gateway is overloaded.</summary>
    public RoutePriority? Priority { get; init; }

    /// <summary>What is forwarded.</summary>
    public ExplainedForward? Forward { get; init; }

    /// <summary>What the gateway answers itself: a redirect or a fixed answer.</summary>
    public ExplainedAnswer? Answer { get; init; }

    /// <summary>What is composed.</summary>
    public ExplainedComposition? Compose { get; init; }

    /// <summary>The explanation as <c>lintel explain</c> prints it.</summary>
    public string ToText() => new ExplanationText(this).ToString();
}

/// <summary>A route that does not match.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Path">The nearest of its paths.</param>
/// <param name="Reasons">Why it does not match.</param>
internal sealed record LosingRoute(string Name, string Path, IReadOnlyList<string> Reasons);

/// <summary>A header field. The value of a credential is hidden.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Value">Its value.</param>
internal sealed record ExplainedHeader(string Name, string Value);

/// <summary>What the gateway answers itself.</summary>
/// <param name="Status">The status.</param>
/// <param name="Headers">Its header fields.</param>
/// <param name="Body">Its body as text.</param>
internal sealed record ExplainedAnswer(int Status, IReadOnlyList<ExplainedHeader> Headers, string Body);
