using System.Text;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Control.Status;

namespace Lintel.Control.Explaining;

/// <summary>Formats an explanation as text: labels in a column, one item per line.</summary>
internal sealed class ExplanationText
{
    private const int Column = 12;

    private readonly StringBuilder _text = new();

    public ExplanationText(Explanation explanation)
    {
        Line(
            "request",
            $"{explanation.Method} {explanation.Target}"
                + (explanation.Host.Length > 0 ? $"  host {explanation.Host}" : "")
                + (explanation.Listener is not ("" or "default") ? $"  listener {explanation.Listener}" : "")
        );
        if (explanation.Route is { } route)
            Line("route", $"{route}  {explanation.Path}");
        foreach (var (name, value) in explanation.Parameters)
            Line("", $"{{{name}}} = {value}");
        if (explanation.RefusedWith is { } status)
            Line("refused", $"{status}: {explanation.Refusal}");
        if (explanation.Policies.Count > 0)
            Line("policies", string.Join(", ", explanation.Policies));
        if (explanation.Caller is { } caller)
            Write(caller);
        if (explanation.Priority is { } priority and not RoutePriority.Normal)
            Line("priority", $"{(priority == RoutePriority.High ? "high: shed last" : "low: shed first")} while the gateway is overloaded");
        if (explanation.Forward is { } forward)
            Write(forward);
        if (explanation.Answer is { } answer)
            Write(answer, explanation.Action == RouteAction.Redirect ? "redirect" : "respond");
        if (explanation.Compose is { } compose)
            Write(compose);
        Write(explanation.Others, explanation.FurtherRoutes);
    }

    public override string ToString() => _text.ToString();

    private void Write(ExplainedCaller caller)
    {
        if (caller.Credentials.Count > 0)
            Line("credential", "required: " + string.Join(", ", caller.Credentials));
        if (caller.IsAssumed)
            Line(
                "caller",
                "assumed: "
                    + (caller.Client is { } client ? $"client {client}" : "no client")
                    + (caller.Subject is { } subject ? $", subject {subject}" : "")
            );
        var label = "rules";
        foreach (var rule in caller.Rules)
            Write(rule, ref label, "");
    }

    private void Write(ExplainedRule rule, ref string label, string indent)
    {
        var verdict = rule.IsMet switch
        {
            true => "met      ",
            false => "not met  ",
            null => "",
        };
        Line(label, indent + verdict + rule.Text);
        label = "";
        foreach (var part in rule.Parts)
            Write(part, ref label, indent + "  ");
    }

    private void Write(IReadOnlyList<LosingRoute> others, int further)
    {
        var label = "others";
        foreach (var other in others)
        {
            Line(label, $"{other.Name}  {other.Path}: {string.Join("; ", other.Reasons)}");
            label = "";
        }

        if (further > 0)
            Line(label, $"and {further} more with other paths");
    }

    private void Write(ExplainedForward forward)
    {
        var label = "forward";
        foreach (var service in forward.Services)
        {
            Line(label, $"{service.Name}{(forward.Services.Count > 1 ? $"  {Percent(service.Percent)}" : "")}");
            label = "";
            foreach (var known in forward.Instances.Where(i => i.Name == service.Name))
            {
                if (known.Discovery is { } discovery)
                    Line("", $"  instances by {discovery.Source}");
                foreach (var instance in known.Instances)
                    Line("", $"  {instance.Address}{Settings(instance)}");
                if (Balancing(known) is { } balancing)
                    Line("", "  " + balancing);
                Line(
                    "",
                    $"  {known.Protocol.ToString().ToLowerInvariant()}, timeouts: connect {Scalars.Format(known.Timeouts.Connect)}, "
                        + $"request {Scalars.Format(known.Timeouts.Request)}, idle {Scalars.Format(known.Timeouts.Idle)}"
                );
            }

            foreach (var rule in forward.Failing.Where(f => f.Service == service.Name).SelectMany(f => f.Rules))
                Line("", "  " + rule);
        }

        if (forward.Mirror is { } mirror)
            Line("mirror", $"{mirror.Name}  {Percent(mirror.Percent)}");
        Line("sends", forward.RequestLine);
        List("adds", forward.Added.Select(h => $"{h.Name}: {h.Value}"));
        List("changes", forward.Changed.Select(h => $"{h.Name}: {h.Value}"));
        if (forward.Removed.Count > 0)
            Line("removes", string.Join(", ", forward.Removed));
        if (forward.Passed.Count > 0)
            Line("passes", string.Join(", ", forward.Passed));
        List("response", forward.Response);
    }

    private static string Settings(InstanceStatus instance) =>
        (instance.Weight == 1 ? "" : $"  weight {instance.Weight}")
        + (instance.Zone is { } zone ? $"  zone {zone}" : "")
        + (instance.Priority == 0 ? "" : $"  priority {instance.Priority}");

    /// <summary>How a service's instance is chosen, where that is not the default.</summary>
    private static string? Balancing(ServiceStatus service)
    {
        var parts = new List<string>();
        if (service.Balancing != BalancingKind.LeastRequests)
            parts.Add(
                $"balancing {char.ToLowerInvariant(service.Balancing.ToString()[0])}{service.Balancing.ToString()[1..]}"
                    + (service.Decay is { } decay ? $" (decay {Scalars.Format(decay)})" : "")
                    + (service.HashedBy is { } hashed ? $" by {hashed}" : "")
                    + (service.BoundedLoad is { } bound ? $", at most {Percent(bound)} of the average load" : "")
            );
        if (service.AffinityCookie is { } cookie)
            parts.Add($"affinity by cookie {cookie}");
        if (service.Zone is { } zone)
            parts.Add($"own zone {zone} above {Percent(service.SpillOver ?? 0)}");
        if (service.SlowStart is { } start)
            parts.Add($"slow start {Scalars.Format(start)}");
        return parts.Count == 0 ? null : string.Join(", ", parts);
    }

    private void Write(ExplainedAnswer answer, string label)
    {
        Line(label, answer.Status.ToString(System.Globalization.CultureInfo.InvariantCulture));
        List("", answer.Headers.Select(h => $"{h.Name}: {h.Value}"));
        if (answer.Body.Length > 0)
            Line("", answer.Body.Length <= 400 ? answer.Body : answer.Body[..400] + "…");
    }

    private void Write(ExplainedComposition compose)
    {
        var count = compose.Levels.Sum(l => l.Count);
        Line("compose", $"{count} {(count == 1 ? "call" : "calls")} within {Scalars.Format(compose.Deadline)}");
        for (var i = 0; i < compose.Levels.Count; i++)
        {
            Line(i == 0 ? "at once" : "then", "");
            foreach (var call in compose.Levels[i])
                Write(call);
        }

        List("to all", compose.Headers.Select(h => $"{h.Name}: {h.Value}"));
        var answer = compose.Answer;
        Line("answer", $"{answer.Status} {answer.MediaType}{(answer.Variant is { } client ? $", the variant of {client}" : "")}");
        List("", answer.Headers.Select(h => $"{h.Name}: {h.Value}"));
        List("body", answer.Body.Concat(answer.ReportsErrors ? ["_errors: parts that failed"] : []));
    }

    private void Write(ExplainedCall call)
    {
        _text
            .Append("  ")
            .Append(call.Name.PadRight(Column - 2))
            .Append(call.Name.Length > Column - 3 ? " " : "")
            .Append(call.Request)
            .Append('\n');
        if (call.Problem is not null)
            Line("", $"  fails: {call.Problem}");
        foreach (var need in call.Needs)
            Line("", $"  depends on {need.Call}: {need.Because}");
        Line(
            "",
            $"  {(call.IsOptional ? "optional" : "required")}, "
                + $"{(call.Timeout is { } timeout ? $"within {Scalars.Format(timeout)}" : "within the deadline")}, its response is "
                + $"{(call.IsParsed ? "parsed" : "passed byte for byte")}"
        );
        foreach (var trait in call.Traits)
            Line("", "  " + trait);
    }

    private void List(string label, IEnumerable<string> lines)
    {
        foreach (var line in lines)
        {
            Line(label, line);
            label = "";
        }
    }

    private void Line(string label, string text) =>
        _text
            .Append(
                (label.PadRight(Column) + text)
                    .TrimEnd()
                    .Replace("\r", "\\r", StringComparison.Ordinal)
                    .Replace("\n", "\\n", StringComparison.Ordinal)
            )
            .Append('\n');

    private static string Percent(double value) => value.ToString(System.Globalization.CultureInfo.InvariantCulture) + " %";
}
