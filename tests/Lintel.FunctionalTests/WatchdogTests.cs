using System.Net;
using Lintel.Cli;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>When the watchdog pings, and what it takes for life.</summary>
[AnyTransport]
public sealed class WatchdogTests
{
    [Fact]
    public async Task Ping_OfAGatewayThatDoesNotAnswer_DoesNotCome_UntilItDoes()
    {
        var checks = 0;
        var pings = 0;
        var isLive = false;
        await using var watchdog = new Watchdog(
            TimeSpan.FromMilliseconds(40),
            Check,
            () => Interlocked.Increment(ref pings),
            TimeProvider.System
        );
        await Until.TrueAsync(() => Volatile.Read(ref checks) > 5);
        Assert.Equal(0, pings);
        Volatile.Write(ref isLive, true);
        await Until.TrueAsync(() => Volatile.Read(ref pings) > 2);

        Task<bool> Check(CancellationToken cancellation)
        {
            Interlocked.Increment(ref checks);
            return Task.FromResult(Volatile.Read(ref isLive));
        }
    }

    [Theory]
    [InlineData("30000000", null, 30.0)]
    [InlineData("30000000", "", 30.0)]
    [InlineData("30000000", "42", 30.0)]
    [InlineData("30000000", "43", null)]
    [InlineData("0", "42", null)]
    [InlineData("-1", "42", null)]
    [InlineData("soon", "42", null)]
    [InlineData(null, "42", null)]
    public void Interval_OfTheEnvironment_IsForTheProcessItNames(string? interval, string? process, double? seconds) =>
        Assert.Equal(seconds, Watchdog.IntervalOf(name => name == "WATCHDOG_USEC" ? interval : process, 42)?.TotalSeconds);

    [Fact]
    public async Task Check_OfAnAdminAddress_SaysWhetherItAnswersInTime()
    {
        var release = new TaskCompletionSource();
        await using var admin = await TestService.StartAsync(async c =>
        {
            if (c.Request.Path != "/health/live")
                c.Response.StatusCode = (int)HttpStatusCode.NotFound;
            await release.Task;
        });
        using var check = new HealthCheck(() => admin.Address);
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        Assert.False(await check.IsLiveAsync(soon.Token));
        release.SetResult();
        Assert.True(await check.IsLiveAsync(CancellationToken.None));
        using var off = new HealthCheck(() => null);
        Assert.True(await off.IsLiveAsync(CancellationToken.None));
        using var gone = new HealthCheck(() => "http://127.0.0.1:1");
        Assert.False(await gone.IsLiveAsync(CancellationToken.None));
    }

    [Theory]
    [InlineData("/named", "/state", "/xdg", "/home/me", "/named")]
    [InlineData("", "/state:/other", "/xdg", "/home/me", "/state")]
    [InlineData("", "", "/xdg", "/home/me", "/xdg/lintel")]
    [InlineData("", null, "relative", "/home/me", "/home/me/.local/state/lintel")]
    [InlineData("", null, null, null, null)]
    public void StateFolder_OfTheEnvironment_IsTheFirstThatIsSet(
        string named,
        string? systemd,
        string? xdg,
        string? home,
        string? expected
    ) => Assert.Equal(expected, StateDirectory.Find(named, name => name switch
                {
                    "STATE_DIRECTORY" => systemd,
                    "XDG_STATE_HOME" => xdg,
                    _ => home,
                }));
}
