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

    private readonly Lock _lock = new();
    private readonly Exchange _exchange;
    private readonly Hedging _hedging;
    private readonly IForwarder _forwarder;
    private readonly AttemptParts _parts;
    private readonly AttemptRequest _request;
    private readonly ForwardAttempt _first;
    private readonly List<HedgedAttempt> _running = [];
    private List<HedgedAttempt>? _hedges;
    private HedgedAttempt? _winner;
    private int _left;

    /// <param name="exchange">The client's exchange.</param>
    /// <param name="forwarder">Forwards the attempts.</param>
    /// <param name="parts">The dependencies of attempts.</param>
    /// <param name="request">The request.</param>
    /// <param name="first">The first attempt, which has begun.</param>
    public HedgeRace(Exchange exchange, IForwarder forwarder, AttemptParts parts, in AttemptRequest request, in ForwardAttempt first)
    {
        (_exchange, _forwarder, _parts, _request) = (exchange, forwarder, parts, request);
        _hedging = first.Service.Hedging!;
        _left = _hedging.Config.Max;
        First = new HedgedAttempt(this, first.Instance);
        _first = first with { Race = First };
        _running.Add(First);
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

    /// <summary>Whether an attempt other than the first may still win, which has ended.</summary>
    public bool AwaitsHedges
    {
        get
        {
            Leave(First);
            lock (_lock)
                return IsWonByHedge || _running.Count > 0;
        }
    }

    /// <summary>
    /// The response of a hedge that the first attempt passes on, for forwarders that cannot pass on several; <see langword="null"/> if no
    /// hedge has won.
    /// </summary>
    public TaskCompletionSource<HttpResponseMessage?> Handoff { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The end of the first attempt; for the winner whose response it passed on.</summary>
    public TaskCompletionSource<GatewayError?> FirstEnd { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Runs the race.</summary>
    /// <returns><see langword="null"/> if a response was passed on completely.</returns>
    public async ValueTask<GatewayError?> RunAsync()
    {
        _hedging.Sent();
        using var timer = _hedging.Delay is { } delay
            ? _parts.Time.CreateTimer(static r => ((HedgeRace)r!).Hedge(), this, delay, delay)
            : null;
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
            FirstEnd.TrySetResult(error);
            foreach (var hedge in _hedges ?? []) // none is added any more
            {
                if (!hasEnded)
                    hedge.CutOff();
                var end = await hedge.End!.ConfigureAwait(false);
                if (_winner == hedge || (_winner is null && ReferenceEquals(error, Lost)))
                    error = end;
                hedge.Dispose();
            }

            First.Dispose();
        }

        return error;
    }

    /// <summary>Decides whether the response of an attempt is passed on.</summary>
    public bool TryWin(HedgedAttempt attempt, int status)
    {
        HedgedAttempt[] losers;
        lock (_lock)
        {
            if (_winner is not null)
                return false;
            if (status >= StatusCodes.Status500InternalServerError && _running.Count > 1)
            {
                _running.Remove(attempt);
                return false;
            }

            _winner = attempt;
            _left = 0;
            losers = [.. _running.Where(a => a != attempt)];
        }

        _hedging.Answered(_parts.Time.GetElapsedTime(_first.Began));
        if (attempt != First)
            (_exchange.Instance, _exchange.Cookies) = (attempt.Instance.Name, attempt.Cookies);
        foreach (var loser in losers)
            loser.CutOff();
        return true;
    }

    /// <summary>Sends the request to another instance, if the budget, the circuit breaker and the bulkhead admit that at once.</summary>
    private void Hedge()
    {
        lock (_lock)
        {
            if (_left <= 0)
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

            attempts.Begin(_first.Request.Trace, now);
            _parts.Metrics.Hedged(_first.Service.Name);
            var hedge = new HedgedAttempt(this, attempts.Instance) { Cookies = attempts.Pin(_exchange) };
            _running.Add(hedge);
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
            _running.Remove(attempt);
            if (attempt == First)
                _left = 0;
            if (_left == 0 && _winner is null && _running.TrueForAll(a => a == First))
                Handoff.TrySetResult(null);
        }
    }
}
