using Lintel.Errors;
using Lintel.Services;

namespace Lintel.Forwarding;

/// <summary>Sends an attempt in a race.</summary>
internal interface IRacer
{
    /// <summary>Another attempt has won: ends this one, if it is in progress.</summary>
    public void CutOff();
}

/// <summary>An attempt in a race, as its forwarder sees it.</summary>
/// <remarks>Thread rule: any thread. Nothing is allocated for a first attempt that remains the only one.</remarks>
/// <param name="race">The race.</param>
internal sealed class HedgedAttempt(HedgeRace race) : IDisposable
{
    private readonly Lock _lock = new();
    private CancellationTokenSource? _source;
    private IRacer? _racer;
    private bool _isCutOff;

    public HedgeRace Race => race;

    /// <summary>The destination.</summary>
    public Instance Instance { get; private set; } = null!; // set by Begin

    /// <summary>Whether it follows a slow first attempt.</summary>
    public bool IsHedge => this != race.First;

    /// <summary>The cookies for the client if its response is passed on.</summary>
    public string? Cookies { get; private set; }

    /// <summary>Its end; set for hedges.</summary>
    public Task<GatewayError?>? End { get; set; }

    /// <summary>The status of its response, whether or not it is passed on; <see langword="null"/> for none.</summary>
    public int? Status { get; private set; }

    /// <summary>Whether it takes part no longer; guarded by the race's lock.</summary>
    public bool HasLeft { get; set; }

    /// <summary>Whether another attempt has won.</summary>
    public bool IsCutOff => Volatile.Read(ref _isCutOff);

    /// <summary>Canceled when another attempt wins; for what waits by token.</summary>
    public CancellationToken CutOffToken
    {
        get
        {
            lock (_lock)
            {
                _source ??= new CancellationTokenSource();
                if (_isCutOff)
                    _source.Cancel();
                return _source.Token;
            }
        }
    }

    /// <summary>Begins, for the first time or again.</summary>
    public void Begin(Instance instance, string? cookies) => (Instance, Cookies, Status, HasLeft) = (instance, cookies, null, false);

    /// <summary>Sets who is told when another attempt wins; <see langword="null"/> for nobody.</summary>
    public void Watch(IRacer? racer)
    {
        lock (_lock)
            _racer = racer;
        if (_isCutOff)
            racer?.CutOff();
    }

    /// <summary>Ends the attempt: another one has won.</summary>
    public void CutOff()
    {
        IRacer? racer;
        lock (_lock)
        {
            _isCutOff = true;
            _source?.Cancel();
            racer = _racer;
        }

        racer?.CutOff();
    }

    /// <summary>
    /// Decides whether a response with this status is passed on. If not, the attempt ends with <see cref="HedgeRace.Lost"/>.
    /// </summary>
    public bool TryWin(int status)
    {
        Status = status;
        return race.TryWin(this, status);
    }

    /// <summary>How the attempt itself ended, if it is not the winner of the race, or its response was given up for a retry.</summary>
    public (int? Status, GatewayError? Error) EndOf(GatewayError? error) => (Status, Status is null ? error : null);

    public void Dispose() => _source?.Dispose();
}
