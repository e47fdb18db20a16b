using System.Text.Json;
using System.Text.Json.Serialization;

namespace Lintel.Samples.Shop;

/// <summary>How slow and how unreliable a service is made; the defaults are a service in good health.</summary>
internal sealed record KnobSettings
{
    /// <summary>How long each request waits before it is answered.</summary>
    [JsonConverter(typeof(DurationJsonConverter))]
    public TimeSpan Latency { get; init; }

    /// <summary>How far a wait may lie from <see cref="Latency"/>, to either side, evenly spread; a wait never falls below zero.</summary>
    [JsonConverter(typeof(DurationJsonConverter))]
    public TimeSpan Jitter { get; init; }

    /// <summary>The share of requests that fail, 0 to 1.</summary>
    public double FailureRatio { get; init; }

    /// <summary>The status that a failing request gets.</summary>
    public int FailureStatus { get; init; } = StatusCodes.Status503ServiceUnavailable;

    /// <summary>What <c>/healthz</c> reports.</summary>
    public bool Healthy { get; init; } = true;
}

/// <summary>One service's knobs. Any thread may read and turn them.</summary>
internal sealed class Knobs(Random random)
{
    public const int LowestFailure = 400;
    public const int HighestFailure = 599;
    public const string ExpectedFailure = "an error status from 400 to 599, such as 503";

    private readonly Lock _turning = new();
    private volatile KnobSettings _current = new();

    public KnobSettings Current => _current;

    /// <summary>What the next request meets: a wait, and the status to fail with, or null.</summary>
    public (TimeSpan Delay, int? Failure) Draw()
    {
        var settings = _current;
        if (settings is { Jitter.Ticks: 0, FailureRatio: 0 })
            return (settings.Latency, null);
        double aside,
            chance;
        lock (_turning) // Random is not safe for several threads.
        {
            aside = (2 * random.NextDouble()) - 1;
            chance = random.NextDouble();
        }

        var delay = settings.Latency + (settings.Jitter * aside);
        return (delay < TimeSpan.Zero ? TimeSpan.Zero : delay, chance < settings.FailureRatio ? settings.FailureStatus : null);
    }

    public KnobSettings Reset()
    {
        lock (_turning)
            return _current = new KnobSettings();
    }

    /// <summary>Changes the knobs that the patch names. One wrong value, and nothing changes.</summary>
    /// <returns>What is wrong, by name; empty when the knobs were turned.</returns>
    public IReadOnlyDictionary<string, string> Turn(JsonElement patch)
    {
        var wrong = new Dictionary<string, string>(StringComparer.Ordinal);
        lock (_turning)
        {
            var turned = _current;
            foreach (var knob in patch.EnumerateObject())
                turned = Turn(turned, knob.Name, knob.Value, wrong);
            if (wrong.Count == 0)
                _current = turned;
        }

        return wrong;
    }

    private static KnobSettings Turn(KnobSettings settings, string name, JsonElement value, Dictionary<string, string> wrong)
    {
        switch (name)
        {
            case "latency" when TryDuration(value, out var latency):
                return settings with { Latency = latency };
            case "jitter" when TryDuration(value, out var jitter):
                return settings with { Jitter = jitter };
            case "failureRatio" when value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var ratio) && ratio is >= 0 and <= 1:
                return settings with { FailureRatio = ratio };
            case "failureStatus"
                when value.ValueKind == JsonValueKind.Number
                    && value.TryGetInt32(out var status)
                    && status is >= LowestFailure and <= HighestFailure:
                return settings with { FailureStatus = status };
            case "healthy" when value.ValueKind is JsonValueKind.True or JsonValueKind.False:
                return settings with { Healthy = value.GetBoolean() };
            default:
                wrong[name] = name switch
                {
                    "latency" or "jitter" => $"is {Duration.Expected}",
                    "failureRatio" => "is a number from 0 to 1, such as 0.25",
                    "failureStatus" => $"is {ExpectedFailure}",
                    "healthy" => "is true or false",
                    _ => "is no knob; the knobs are latency, jitter, failureRatio, failureStatus and healthy",
                };
                return settings;
        }
    }

    private static bool TryDuration(JsonElement value, out TimeSpan duration)
    {
        duration = default;
        return value.ValueKind == JsonValueKind.String && Duration.TryParse(value.GetString(), out duration);
    }
}
