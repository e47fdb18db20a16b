using System.Runtime.CompilerServices;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Services.Attempts;
using Lintel.Services.Breaking;
using Microsoft.AspNetCore.Http;

namespace Lintel.Forwarding;

/// <summary>
/// Races attempts of one request: if the first has no response head in time, others follow at other instances while it is awaited. The
/// first good response is passed on, the other attempts are cut off.
/// </summary>
/// <remarks>
/// A response with a status from 500 on wins only if no other attempt is in progress. If no attempt wins, retries may follow. Thread rule:
/// <see cref="RunAsync"/> is called once; attempts run on any thread. One lock, which is not held while attempts are called.
/// </remarks>
internal sealed class HedgeRace
{
    /// <summary>The end of an attempt that did not win.</summary>
    public static readonly GatewayError Lost = new(GatewayErrorKind.HedgeLost);

    /// <summary>How much too early a timer of the system may come.</summary>
    private static readonly TimeSpan TimerResolution = TimeSpan.FromMilliseconds(2);

    private readonly Lock _lock = new();
    private ITimer? _timer;
    private TimeProvider? _clock; // of the timer
    private Exchange _exchange = null!; // this and the following: set by Create
    private Hedging _hedging = null!;
    private IForwarder _forwarder = null!;
    private AttemptParts _parts = null!;
    private AttemptRequest _request;
    private ForwardAttempt _first;
    private TimeSpan? _delay;
    private List<HedgedAttempt>? _hedges;
    private HedgedAttempt? _winner;
    private TaskCompletionSource<HttpResponseMessage?>? _handoff;
    private TaskCompletionSource<GatewayError?>? _firstEnd;
    private bool _isFirstRunning;
    private int _hedgesRunning;
    private int _left;

    private HedgeRace() => First = new HedgedAttempt(this);

    /// <summary>Creates a race, or takes one that had no hedges: most end so, and should cost a request no objects and no timer.</summary>
    /// <param name="exchange">The client's exchange.</param>
    /// <param name="forwarder">Forwards the attempts.</param>
    /// <param name="parts">The dependencies of attempts.</param>
    /// <param name="request">The request.</param>
    /// <param name="first">The first attempt, which has begun.</param>
    public static HedgeRace Create(
        Exchange exchange,
        IForwarder forwarder,
        AttemptParts parts,
        in AttemptRequest request,
        in ForwardAttempt first
    )
    {
        var race = Spares<HedgeRace>.Take() ?? new HedgeRace();
        lock (race._lock) // a late timer of the previous request may look
        {
            (race._exchange, race._forwarder, race._parts, race._request) = (exchange, forwarder, parts, request);
            race._hedging = first.Service.Hedging!;
            race._delay = race._hedging.Delay;
            race._left = race._delay is null ? 0 : race._hedging.Config.Max;
            race.First.Begin(first.Instance, null);
            race._first = first with { Race = race.First };
            race._isFirstRunning = true;
        }

        return race;
    }

    /// <summary>The first attempt.</summary>
    public HedgedAttempt First { get; }

    /// <summary>The number of attempts after the first.</summary>
    public int Hedges => _hedges?.Count ?? 0;

    /// <summary>Whether another attempt than the first has won.</summary>
    public bool IsWonByHedge => _winner is not null && _winner != First;

    /// <summary>How the first attempt itself ended, if the race ended so.</summary>
    public (int? Status, GatewayError? Error) EndOfFirst(int? status, GatewayError? error) =>
        _winner == First ? (status, error)
        : IsWonByHedge ? First.EndOf(Lost)
        : First.EndOf(error);

    /// <summary>Ends the first attempt, whose response may still be that of a hedge.</summary>
    /// <returns>Whether a hedge has won, or may: <see cref="Handoff"/>.</returns>
    public bool LeaveToHedges()
    {
        Leave(First);
        lock (_lock)
            return IsWonByHedge || _hedgesRunning > 0;
    }

    /// <summary>
    /// The response of a hedge that the first attempt passes on, for forwarders that cannot pass on several; <see langword="null"/> if no
    /// hedge has won.
    /// </summary>
    public TaskCompletionSource<HttpResponseMessage?> Handoff
    {
        get
        {
            lock (_lock)
            {
                _handoff ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
                if (IsLostForGood_NeedsLock)
                    _handoff.TrySetResult(null);
                return _handoff;
            }
        }
    }

    private bool IsLostForGood_NeedsLock => _left == 0 && _winner is null && _hedgesRunning == 0;

    /// <summary>The end of the first attempt; for the winner whose response it passed on.</summary>
    public Task<GatewayError?> FirstEnd => _firstEnd!.Task;

    /// <summary>Runs the race.</summary>
    /// <returns><see langword="null"/> if a response was passed on completely.</returns>
    [AsyncMethodBuilder(typeof(PooledMethodBuilder<>))]
    public async ValueTask<GatewayError?> RunAsync()
    {
        _hedging.Sent();
        Plan(_delay ?? Timeout.InfiniteTimeSpan);
        var error = Lost;
        var hasEnded = false;
        try
        {
            error = await _forwarder.SendAsync(_exchange, _first).ConfigureAwait(false);
            hasEnded = true;
        }
        finally
        {
            Leave(First);
            if (_hedges is not null) // none is added any more
                error = await SettleAsync(error, hasEnded).ConfigureAwait(false);
        }

        return error;
    }

    /// <summary>Ends the race: it may serve another request, unless it had hedges.</summary>
    public void End()
    {
        Plan(Timeout.InfiniteTimeSpan);
        if (_hedges is not null || First.IsCutOff)
        {
            _timer?.Dispose();
            First.Dispose();
            _hedges?.ForEach(h => h.Dispose());
            return;
        }

        lock (_lock)
            (_exchange, _first, _winner, _handoff) = (null!, default, null, null);
        Spares<HedgeRace>.Keep(this);
    }

    /// <summary>Waits for the hedges, after the end of the first attempt.</summary>
    private async ValueTask<GatewayError?> SettleAsync(GatewayError? error, bool hasEnded)
    {
        _firstEnd!.TrySetResult(error);
        foreach (var hedge in _hedges!)
        {
            if (!hasEnded)
                hedge.CutOff();
            var end = await hedge.End!.ConfigureAwait(false);
            if (_winner == hedge || (_winner is null && ReferenceEquals(error, Lost)))
                error = end;
        }

        return error;
    }

    private void Plan(TimeSpan delay)
    {
        if (_clock != _parts.Time)
        {
            _timer?.Dispose();
            _clock = _parts.Time;
            _timer = _clock.CreateTimer(static r => ((HedgeRace)r!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }

        _timer!.Change(delay, delay);
    }

    /// <summary>Decides whether the response of an attempt is passed on.</summary>
    public bool TryWin(HedgedAttempt attempt, int status)
    {
        List<HedgedAttempt> losers;
        lock (_lock)
        {
            if (_winner is not null)
                return false;
            var others = attempt == First ? _hedgesRunning : _hedgesRunning - 1 + (_isFirstRunning ? 1 : 0);
            if (status >= StatusCodes.Status500InternalServerError && others > 0)
            {
                Leave_NeedsLock(attempt);
                return false;
            }

            _winner = attempt;
            _left = 0;
            losers = _hedges is null ? [] : [First, .. _hedges];
        }

        _hedging.Answered(_parts.Time.GetElapsedTime(_first.Began));
        if (attempt != First)
            (_exchange.Instance, _exchange.Cookies) = (attempt.Instance.Name, attempt.Cookies);
        foreach (var loser in losers)
        {
            if (loser != attempt)
                loser.CutOff();
        }

        return true;
    }

    /// <summary>
    /// Nothing catches an exception on the thread of a timer: one of an application's listener of spans would end the process.
    /// </summary>
    private void OnTimer()
    {
        try
        {
            Hedge();
        }
        catch (Exception e)
        {
            _parts.Errors.Record(GatewayError.OfDefect(e), route: null, _first.Service.Name, instance: null, traceId: "");
        }
    }

    /// <summary>Sends the request to another instance, if the budget, the circuit breaker and the bulkhead admit that at once.</summary>
    private void Hedge()
    {
        lock (_lock)
        {
            // A timer that has just been stopped may come late, and meet the next request.
            if (_left <= 0 || _parts.Time.GetElapsedTime(_first.Began) + TimerResolution < _delay)
                return;
            _left--;
            var attempts = new AttemptSeries(_first.Service, _request, _parts);
            if (!_hedging.TrySpend() || !attempts.TryChoose([First.Instance, .. (_hedges ?? []).Select(h => h.Instance)]))
                return;
            var now = _parts.Time.GetTimestamp();
            if (!attempts.TryAdmit(now, out var refused))
            {
                if (refused is null)
                    attempts.Waited(Bulkhead.Full); // a hedge does not wait for a place
                return;
            }

            _first.Deadline.Share();
            attempts.Begin(_first.Request.Trace, now);
            _parts.Metrics.Hedged(_first.Service.Name);
            var hedge = new HedgedAttempt(this);
            hedge.Begin(attempts.Instance, attempts.Pin(_exchange));
            _firstEnd ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
            _hedgesRunning++;
            (_hedges ??= []).Add(hedge);
            hedge.End = RunHedgeAsync(attempts, hedge);
        }
    }

    /// <summary>Never fails.</summary>
    private async Task<GatewayError?> RunHedgeAsync(AttemptSeries attempts, HedgedAttempt hedge)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // the caller holds the lock
        var attempt = _first with
        {
            Instance = attempts.Instance,
            Began = attempts.Began,
            Span = attempts.Span,
            Offer = null,
            Race = hedge,
        };
        GatewayError? error;
        try
        {
            error = await _forwarder.SendAsync(_exchange, attempt).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            error = GatewayError.OfDefect(e);
        }

        Leave(hedge);
        var latency = _winner == hedge && attempt.Deadline.Measures ? attempt.Deadline.TakeLatency(attempts.Began) : null;
        var (status, end) =
            _winner == hedge && error?.Kind != GatewayErrorKind.ResponseRetried ? (hedge.Status, error) : hedge.EndOf(error);
        attempts.End(status, end, latency);
        return error;
    }

    /// <summary>An attempt has ended. After the first one no others begin.</summary>
    private void Leave(HedgedAttempt attempt)
    {
        lock (_lock)
        {
            Leave_NeedsLock(attempt);
            if (attempt == First)
                _left = 0;
            if (IsLostForGood_NeedsLock)
                _handoff?.TrySetResult(null);
        }
    }

    private void Leave_NeedsLock(HedgedAttempt attempt)
    {
        if (attempt == First)
            _isFirstRunning = false;
        else if (!attempt.HasLeft)
            _hedgesRunning--;
        attempt.HasLeft = true;
    }
}
