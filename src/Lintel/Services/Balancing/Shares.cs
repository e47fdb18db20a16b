using Lintel.Config;
using Lintel.Services.Health;

namespace Lintel.Services.Balancing;

/// <summary>An instance with its settings in one generation of its service.</summary>
/// <param name="Instance">The instance, which generations share.</param>
/// <param name="Config">Its settings.</param>
/// <param name="Token">Its name in affinity cookies; 0 if the service has no affinity.</param>
internal readonly record struct Member(Instance Instance, InstanceConfig Config, UInt128 Token);

/// <summary>An instance that takes part in balancing.</summary>
/// <param name="Instance">The instance.</param>
/// <param name="Weight">Its effective weight, above 0, in a unit of its own.</param>
internal readonly record struct WeightedInstance(Instance Instance, double Weight);

/// <summary>Why an instance gets another share than its weight says.</summary>
internal enum ShareReason
{
    /// <summary>Its weight alone decides.</summary>
    None,

    /// <summary>It is unavailable.</summary>
    Unavailable,

    /// <summary>It is unavailable and used nevertheless, like all of its level.</summary>
    Panic,

    /// <summary>It has joined, or become available, a short time ago.</summary>
    SlowStart,

    /// <summary>Levels of other priority get the requests, or a part of them.</summary>
    Priority,

    /// <summary>The gateway's own zone gets the requests, or a part of them.</summary>
    Zone,

    /// <summary>An operator drains it: only clients that are pinned to it reach it.</summary>
    Drained,

    /// <summary>An operator has ejected it: nobody reaches it.</summary>
    Held,
}

/// <summary>The part of the requests that an instance gets.</summary>
/// <param name="Fraction">From 0 to 1; all of a service add up to 1, or to 0 if none is used.</param>
/// <param name="Reason">What reduces or increases it.</param>
internal readonly record struct InstanceShare(double Fraction, ShareReason Reason);

/// <summary>
/// Which instances of a service get requests, and how many: computed whenever instances or their availability change, so that nothing is
/// decided at a pick.
/// </summary>
/// <remarks>
/// <para>
/// <b>Priority</b> (Envoy's rule): the health of a level is its share of available instances × 1.4, at most 100 %. Level 0 gets its health
/// in percent of the requests, level 1 its own of what is missing, and so on. If all levels together have less than 100 %, requests are
/// distributed in proportion to health.
/// </para>
/// <para>
/// <b>Panic</b>: all instances of a level are used if its share of available ones is below <c>panic</c> and the levels together have less
/// than 100 %; with a single level its share alone decides. If nothing at all is available, the first level is used.
/// </para>
/// <para>
/// <b>Zone</b>: of the requests of a level, the own zone gets <c>min(1, available / all / spillOver)</c> of its instances, the others the
/// rest, by weight; everything goes to one side if the other has no available instance. A level in panic ignores zones.
/// </para>
/// <para>
/// <b>By hand</b>: an instance that an operator drains or ejects takes part in none of this, as if it were not configured: the others of
/// its level share its requests, and neither panic nor another priority follows from it.
/// </para>
/// <para>
/// <b>Slow start</b>: the weight of an instance is multiplied by <c>max(10 %, time since it joined / window)</c>, Envoy's formula with
/// aggression 1.
/// </para>
/// </remarks>
internal sealed class Shares
{
    /// <summary>Envoy's overprovisioning factor: a level takes all requests as long as 5 of 7 instances are available.</summary>
    private const double Overprovisioning = 1.4;

    private const double LeastOfSlowStart = 0.1;

    private readonly Member[] _members;
    private readonly bool[] _isAvailable;
    private readonly InstanceHold?[] _holds;
    private readonly double[] _weights;
    private readonly InstanceShare[] _of;
    private readonly List<(List<int> Members, double Fraction)> _groups = [];

    private Shares(Member[] members, ServiceConfig config, TimeProvider time)
    {
        _members = members;
        _of = new InstanceShare[members.Length];
        _isAvailable = [.. members.Select(m => m.Instance.Health.IsAvailable)]; // once: it may change at any time
        _holds = [.. members.Select(m => m.Instance.Health.Hold)];
        _weights = [.. members.Select(m => m.Config.Weight * SlowStart(m.Instance, config.SlowStart, time))];
        IsRamping = members.Where((m, i) => _weights[i] < m.Config.Weight).Any();
        Distribute(config);
        Taking = Weigh();
    }

    /// <summary>The instances that take part, in the order of the configuration.</summary>
    public WeightedInstance[] Taking { get; }

    /// <summary>Whether so few instances are available that all of some level are used.</summary>
    public bool IsPanicking { get; private set; }

    /// <summary>Whether the weight of an instance grows with time.</summary>
    public bool IsRamping { get; }

    /// <summary>The number of instances that an operator holds back.</summary>
    public int Held => _holds.Count(h => h is not null);

    /// <summary>The share of each member.</summary>
    public IReadOnlyList<InstanceShare> Of => _of;

    public static Shares Compute(Member[] members, ServiceConfig config, TimeProvider time) => new(members, config, time);

    private static double SlowStart(Instance instance, TimeSpan? window, TimeProvider time)
    {
        if (window is not { } length || instance.Health.Joined == 0)
            return 1;
        return Math.Clamp(time.GetElapsedTime(instance.Health.Joined) / length, LeastOfSlowStart, 1);
    }

    private void Distribute(ServiceConfig config)
    {
        var all = Enumerable.Range(0, _members.Length);
        foreach (var i in all.Where(i => _holds[i] is not null))
            _of[i] = new InstanceShare(
                0,
                _holds[i]!.Kind == HoldKind.Ejected ? ShareReason.Held
                    : _isAvailable[i] ? ShareReason.Drained
                    : ShareReason.Unavailable
            );
        var levels = all.Where(i => _holds[i] is null).GroupBy(i => _members[i].Config.Priority).OrderBy(g => g.Key).ToList();
        var available = levels.Select(l => (double)l.Count(i => _isAvailable[i]) / l.Count()).ToList();
        var total = Math.Min(1, available.Sum(Health));
        var left = 1.0;
        for (var level = 0; level < levels.Count; level++)
        {
            var load =
                total == 0 ? (level == 0 ? 1 : 0)
                : total < 1 ? Health(available[level]) / total
                : levels.Count == 1 ? 1
                : Math.Min(left, Health(available[level]));
            left -= load;
            var panics = available[level] < 1 && 100 * available[level] < config.Panic && (levels.Count == 1 || total < 1);
            if (levels.Count == 1)
                load = 1;
            AddLevel([.. levels[level]], load, panics, config.Zone);
        }
    }

    private static double Health(double available) => Math.Min(1, available * Overprovisioning);

    private void AddLevel(List<int> members, double load, bool panics, ZoneConfig? zone)
    {
        var isUsed = load > 1e-9; // what differences of floating point leave is nothing
        IsPanicking |= panics && isUsed;
        foreach (var i in members)
            _of[i] = new InstanceShare(
                0,
                !_isAvailable[i] ? (panics && isUsed ? ShareReason.Panic : ShareReason.Unavailable)
                    : load < 1 ? ShareReason.Priority
                    : ShareReason.None
            );
        var used = panics ? members : members.FindAll(i => _isAvailable[i]);
        if (!isUsed || used.Count == 0)
            return;
        var own = panics || zone is null ? used : used.FindAll(IsOwn);
        if (own.Count == 0 || own.Count == used.Count)
        {
            _groups.Add((used, load));
            return;
        }

        var local = zone!.SpillOver == 0 ? 1 : Math.Min(1, 100.0 * own.Count / members.Count(IsOwn) / zone.SpillOver);
        foreach (var i in used)
            _of[i] = _of[i] with { Reason = ShareReason.Zone };
        _groups.Add((own, load * local));
        if (local < 1)
            _groups.Add((used.FindAll(i => !IsOwn(i)), load * (1 - local)));

        bool IsOwn(int member) => _members[member].Config.Zone == zone!.Own;
    }

    /// <summary>
    /// Makes weights of the groups' fractions. A single group keeps the weights as they are written: whole numbers have an exact round
    /// robin.
    /// </summary>
    private WeightedInstance[] Weigh()
    {
        var weights = new double[_members.Length];
        foreach (var (members, fraction) in _groups)
        {
            var sum = members.Sum(i => _weights[i]);
            foreach (var i in members)
            {
                var share = _weights[i] / sum * fraction;
                weights[i] = _groups.Count == 1 ? _weights[i] : share;
                var isSlow = _weights[i] < _members[i].Config.Weight;
                _of[i] = new InstanceShare(share, isSlow ? ShareReason.SlowStart : _of[i].Reason);
            }
        }

        return [.. _members.Select((m, i) => new WeightedInstance(m.Instance, weights[i])).Where(w => w.Weight > 0)];
    }
}
