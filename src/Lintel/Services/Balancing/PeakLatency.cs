namespace Lintel.Services.Balancing;

/// <summary>
/// An estimate of how long an instance takes to answer (peak EWMA): a longer attempt replaces it at once, shorter ones and time reduce it
/// exponentially.
/// </summary>
/// <remarks>
/// <para>
/// A failure counts as an attempt of twice the estimate, of at least 1 s and at most 60 s, and enters as an average instead of a peak:
/// otherwise an instance that fails fast would look like the fastest and attract all requests. The average makes the share of failures
/// count: with one failure in a hundred, 10 ms are added to the estimate.
/// </para>
/// <para>
/// Thread rule: any thread, without locks. Estimate and time are one 64-bit word, exchanged as a whole; whoever loses the exchange three
/// times drops the sample, which many others of the same moment replace.
/// </para>
/// </remarks>
/// <param name="decay">The time after which the weight of a sample has fallen to 1/e.</param>
/// <param name="time">The clock.</param>
internal sealed class PeakLatency(TimeSpan decay, TimeProvider time)
{
    /// <summary>The estimate of an instance without attempts, in seconds (Linkerd's and Finagle's default round-trip time).</summary>
    private const float First = 0.03f;

    private const float LeastOfFailure = 1;
    private const float MostOfFailure = 60;
    private const int TicksPerSecond = 10_000;

    /// <summary>An older sample by at most this many ticks comes from a thread that was overtaken; others are a wrapped clock.</summary>
    private const int Overtaken = 10 * TicksPerSecond;

    private readonly float _decay = (float)decay.TotalSeconds;
    private long _state = Pack(First, Ticks(time));

    /// <summary>The time constant.</summary>
    public TimeSpan Decay { get; } = decay;

    /// <summary>The estimate in seconds; without attempts it approaches zero, so that a slow instance gets another chance.</summary>
    public float Estimate => At(Ticks(time));

    /// <summary>The estimate at a time, as returned by <see cref="Ticks"/>.</summary>
    public float At(uint now)
    {
        var state = Volatile.Read(ref _state);
        return EstimateOf(state) * Weight(state, now);
    }

    /// <summary>The clock in ticks of 100 µs, which wrap around after five days.</summary>
    public static uint Ticks(TimeProvider time) =>
        (uint)((ulong)time.GetTimestamp() / Math.Max(1, (ulong)time.TimestampFrequency / TicksPerSecond));

    /// <summary>Adds an attempt.</summary>
    /// <param name="duration">How long it took to answer.</param>
    /// <param name="outcome">Its outcome.</param>
    public void Add(TimeSpan duration, AttemptLatency outcome)
    {
        var sample = (float)duration.TotalSeconds;
        var now = Ticks(time);
        for (var i = 0; i < 3; i++)
        {
            var before = Volatile.Read(ref _state);
            var estimate = EstimateOf(before);
            var weight = Weight(before, now);
            var next = outcome switch
            {
                AttemptLatency.Failure => Average(
                    estimate,
                    Math.Max(sample, Math.Min(Math.Max(2 * estimate, LeastOfFailure), MostOfFailure)),
                    weight
                ),
                _ when sample > estimate => sample,
                AttemptLatency.AtLeast => estimate * weight,
                _ => Average(estimate, sample, weight),
            };
            if (Interlocked.CompareExchange(ref _state, Pack(next, now), before) == before)
                return;
        }
    }

    private static float Average(float estimate, float sample, float weight) => (estimate * weight) + (sample * (1 - weight));

    private float Weight(long state, uint now)
    {
        var passed = now - (uint)state;
        return passed > uint.MaxValue - Overtaken ? 1 : Decayed(passed / (TicksPerSecond * _decay));
    }

    /// <summary>e^-x; for the small x of an instance with traffic by its series, which is exact to 6 digits there.</summary>
    private static float Decayed(float x) => x < 0.05f ? 1 - (x * (1 - (x * (0.5f - (x / 6))))) : MathF.Exp(-x);

    private static long Pack(float estimate, uint ticks) => ((long)BitConverter.SingleToInt32Bits(estimate) << 32) | ticks;

    private static float EstimateOf(long state) => BitConverter.Int32BitsToSingle((int)(state >> 32));
}

/// <summary>What the duration of an attempt says about the latency of its instance.</summary>
internal enum AttemptLatency
{
    /// <summary>The instance answered within it.</summary>
    Answer,

    /// <summary>The instance failed.</summary>
    Failure,

    /// <summary>The attempt ended for a reason of its own before an answer: the instance takes at least that long.</summary>
    AtLeast,
}
