namespace Lintel.FunctionalTests.Composition;

/// <summary>Waits for what nothing tells of.</summary>
internal static class Wait
{
    public static async Task UntilAsync(Func<bool> condition)
    {
        using var deadline = new CancellationTokenSource(GatewayProcess.Patience);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!condition())
            await tick.WaitForNextTickAsync(deadline.Token);
    }
}
