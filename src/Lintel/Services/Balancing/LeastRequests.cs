namespace Lintel.Services.Balancing;

/// <summary>
/// Power of two choices: of two different instances drawn by weight, the one with fewer requests in flight for its weight.
/// </summary>
/// <remarks>
/// Envoy does this for equal weights, and for others a weighted round robin with <c>weight / (active + 1)</c>, whose queue is reordered at
/// each pick. Drawing by weight needs no queue and no lock, costs the same for a thousand instances as for two, and an idle service still
/// receives its requests in proportion: of two instances without requests the first one drawn is taken. With load both draws only find
/// candidates, and requests in flight settle in proportion to weight.
/// </remarks>
internal sealed class LeastRequests(WeightedInstance[] instances, Random random) : Balancer(instances, random)
{
    private readonly WeightedDraw _draw = new([.. instances.Select(i => i.Weight)], random);

    public override Instance Pick(ulong key)
    {
        var place = _draw.Draw();
        ref readonly var first = ref Instances[place];
        ref readonly var second = ref Instances[_draw.DrawOther(place)];
        return second.Instance.Active * first.Weight < first.Instance.Active * second.Weight ? second.Instance : first.Instance;
    }
}

/// <summary>
/// Peak EWMA: of two different instances drawn by weight, the one with the lower expected latency times requests in flight, for its weight.
/// </summary>
internal sealed class LeastLatency(WeightedInstance[] instances, BalancingParts parts) : Balancer(instances, parts.Random)
{
    /// <summary>Added to each estimate, in seconds: instances without recent attempts compare by requests in flight.</summary>
    private const double Least = 1e-6;

    private readonly WeightedDraw _draw = new([.. instances.Select(i => i.Weight)], parts.Random);
    private readonly TimeProvider _time = parts.Time;

    public override Instance Pick(ulong key)
    {
        var now = PeakLatency.Ticks(_time);
        var place = _draw.Draw();
        ref readonly var first = ref Instances[place];
        ref readonly var second = ref Instances[_draw.DrawOther(place)];
        return Cost(second.Instance, now) * first.Weight < Cost(first.Instance, now) * second.Weight ? second.Instance : first.Instance;
    }

    private static double Cost(Instance instance, uint now) => ((instance.Latency?.At(now) ?? 0) + Least) * (instance.Active + 1);
}
