using Lintel.Errors;
using Lintel.Services;

namespace Lintel.Forwarding;

/// <summary>An attempt in a race, as its forwarder sees it.</summary>
/// <param name="race">The race.</param>
/// <param name="instance">The destination.</param>
internal sealed class HedgedAttempt(HedgeRace race, Instance instance) : IDisposable
{
    private readonly CancellationTokenSource _cutOff = new();

    public HedgeRace Race => race;

    public Instance Instance => instance;

    /// <summary>Whether it follows a slow first attempt.</summary>
    public bool IsHedge => this != race.First;

    /// <summary>The cookies for the client if its response is passed on.</summary>
    public string? Cookies { get; init; }

    /// <summary>Its end; set for hedges.</summary>
    public Task<GatewayError?>? End { get; set; }

    /// <summary>The status of its response, whether or not it is passed on; <see langword="null"/> for none.</summary>
    public int? Status { get; private set; }

    /// <summary>Canceled when another attempt wins.</summary>
    public CancellationToken CutOffToken => _cutOff.Token;

    public bool IsCutOff => _cutOff.IsCancellationRequested;

    public void CutOff() => _cutOff.Cancel();

    public void Dispose() => _cutOff.Dispose();

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
}
