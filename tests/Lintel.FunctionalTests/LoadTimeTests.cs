using System.Diagnostics;

namespace Lintel.FunctionalTests;

/// <summary>Tests that measure time have the machine for themselves.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

/// <summary>From a cold process.</summary>
[AnyTransport]
public sealed class LoadTimeTests
{
    /// <summary>
    /// The work of loading grows linearly with the routes. Measured in processor time and as a ratio, which a busy machine does not
    /// change: eight times the routes take eight times the work at the most (less, for code is compiled once), where comparing
    /// every route with every other one would take sixty-four times. The time for ten thousand routes is measured in bench.
    /// </summary>
    [Fact]
    public async Task TenThousandRoutes_TakeNoMoreWorkThanTheirNumber()
    {
        var nothing = await LoadAsync(1);
        var few = await LoadAsync(1_250) - nothing;
        var many = await LoadAsync(10_000) - nothing;
        if (few < TimeSpan.FromMilliseconds(250))
            few = TimeSpan.FromMilliseconds(250); // less is lost in what starting costs, a second give or take a little
        Assert.True(many < 16 * few, $"1 route: {nothing}, 1 250 more: {few}, 10 000 more: {many}");
    }

    /// <summary>The processor time that a gateway has used when it serves its last route.</summary>
    private static async Task<TimeSpan> LoadAsync(int routes)
    {
        var yaml = string.Join(
            '\n',
            Enumerable
                .Range(0, routes)
                .Select(i => $"  r{i}: {{ match: \"GET /api/v{i % 10}/thing{i}/{{id}}\", respond: {{ body: b{i} }} }}")
        );
        await using var gateway = await GatewayProcess.StartAsync("routes:\n" + yaml);
        var last = routes - 1;
        Assert.Equal(
            $"b{last}",
            await gateway.Client.GetStringAsync(new Uri($"/api/v{last % 10}/thing{last}/1", UriKind.Relative), CancellationToken.None)
        );
        using var process = Process.GetProcessById(gateway.Id);
        return process.TotalProcessorTime;
    }
}
