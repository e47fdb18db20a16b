using Lintel.Hosting;
using Lintel.Hosting.Overload;
using Lintel.TestKit;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Hosting.Overload;

public sealed class CpuTests : IDisposable
{
    private readonly ConfigFolder _folder = new();
    private readonly FakeTimeProvider _time = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Use_OfAGroupWithAQuota_IsThatOfTheQuota()
    {
        _folder.Write("proc/cgroup", "0::/a/b\n");
        _folder.Write("groups/a/b/cpu.max", "max 100000\n");
        _folder.Write("groups/a/cpu.max", "20000 100000\n");
        _folder.Write("groups/a/cpu.stat", "usage_usec 5000000\nuser_usec 1\n");
        Assert.Equal([new CpuAmounts(TimeSpan.FromSeconds(5), 0.2)], Read());
    }

    [Fact]
    public void Use_OfVersion1_IsReadToo()
    {
        _folder.Write("proc/cgroup", "5:cpuacct:/x\n4:cpu:/x\n");
        _folder.Write("groups/cpu/x/cpu.cfs_quota_us", "150000\n");
        _folder.Write("groups/cpu/x/cpu.cfs_period_us", "100000\n");
        _folder.Write("groups/cpu/cpu.cfs_quota_us", "-1\n");
        _folder.Write("groups/cpu/cpu.cfs_period_us", "100000\n");
        _folder.Write("groups/cpuacct/x/cpuacct.usage", "3000000000\n");
        Assert.Equal([new CpuAmounts(TimeSpan.FromSeconds(3), 1.5)], Read());
    }

    [Fact]
    public void Use_OfVersion1WithOtherGroupsForCounting_IsThatOfTheProcessInItsQuota()
    {
        _folder.Write("proc/cgroup", "5:cpuacct:/\n4:cpu:/x\n");
        _folder.Write("groups/cpu/x/cpu.cfs_quota_us", "20000\n");
        _folder.Write("groups/cpu/x/cpu.cfs_period_us", "100000\n");
        _folder.Write("groups/cpuacct/cpuacct.usage", "3000000000\n"); // of the whole machine
        Assert.Equal([new CpuAmounts(TimeSpan.FromSeconds(1), 0.2)], Read());
    }

    [Fact]
    public void Use_WithoutAQuota_IsThatOfTheProcess()
    {
        _folder.Write("proc/cgroup", "0::/a\n");
        _folder.Write("groups/a/cpu.max", "max 100000\n");
        Assert.Equal([new CpuAmounts(TimeSpan.FromSeconds(1), 4)], Read());
    }

    [Fact]
    public void Share_OfTheLastSecond_IsWhatCounts()
    {
        var used = TimeSpan.Zero;
        var cpu = new CpuResource(() => [new CpuAmounts(used, 0.5)], _time);
        Assert.Null(cpu.Measure(95)); // nothing to compare with
        var shares = new List<double?>();
        for (var i = 0; i < 30; i++)
        {
            _time.Advance(OverloadWatch.Interval);
            used += i is >= 10 and < 20 ? TimeSpan.FromMilliseconds(40) : TimeSpan.Zero;
            shares.Add(cpu.Measure(95));
        }

        Assert.All(shares[..9], s => Assert.Null(s));
        Assert.Equal(0, shares[9]);
        Assert.Equal(80, shares[19]!.Value, 6);
        Assert.Equal(0, shares[29]!.Value, 6);
    }

    [Fact]
    public void Share_OfAQuotaThatIsNew_BeginsAnew()
    {
        var amounts = new List<CpuAmounts> { new(TimeSpan.FromHours(1), 2) };
        var cpu = new CpuResource(() => [.. amounts], _time);
        cpu.Measure(95);
        amounts.Add(new(TimeSpan.FromHours(5), 1));
        _time.Advance(CpuResource.Window);
        Assert.Null(cpu.Measure(95));
        _time.Advance(CpuResource.Window);
        Assert.Equal(0, cpu.Measure(95));
    }

    private List<CpuAmounts> Read() =>
        new CpuUse(new ControlGroups(_folder["proc"], _folder["groups"]), () => new CpuAmounts(TimeSpan.FromSeconds(1), 4)).Read();
}
