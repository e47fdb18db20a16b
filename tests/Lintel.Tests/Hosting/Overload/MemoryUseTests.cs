using Lintel.Hosting;
using Lintel.Hosting.Overload;
using Lintel.TestKit;

namespace Lintel.Tests.Hosting.Overload;

public sealed class MemoryUseTests : IDisposable
{
    private readonly ConfigFolder _folder = new();
    private MemoryAmounts _process = new(10, 100);
    private MemoryAmounts _heap = new(5, 100);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Use_OfAGroup_IsItsShareWithoutOldFiles()
    {
        Groups("0::/a/b");
        Write("a/b/memory.max", "1000");
        Write("a/b/memory.current", "900");
        Write("a/b/memory.stat", "anon 1\ninactive_anon 7\ninactive_file 300\nfile 1");
        Write("a/memory.max", "max");
        Assert.Equal(60, Percent());
    }

    [Fact]
    public void Use_OfSeveralGroups_IsTheOneClosestToItsLimit()
    {
        Groups("0::/a/b");
        Write("a/b/memory.max", "1000");
        Write("a/b/memory.current", "100");
        Write("a/memory.max", "4000");
        Write("a/memory.current", "3600"); // neighbours count: the kernel kills for them too
        Assert.Equal(90, Percent());
    }

    [Fact]
    public void Use_OfAGroupThatIsSlowedDown_IsRelativeToThatLimit()
    {
        Groups("0::/a");
        Write("a/memory.max", "1000");
        Write("a/memory.high", "500");
        Write("a/memory.current", "250");
        Assert.Equal(50, Percent());
    }

    [Fact]
    public void Use_OfVersion1_IsReadToo()
    {
        Groups("4:memory:/docker/x\n1:name=systemd:/x\n0::/");
        Write("memory/docker/x/memory.limit_in_bytes", "2000");
        Write("memory/docker/x/memory.usage_in_bytes", "1500");
        Write("memory/docker/x/memory.stat", "inactive_file 1\ntotal_inactive_file 500");
        Write("memory/memory.limit_in_bytes", "9223372036854771712");
        Write("memory/memory.usage_in_bytes", "9999999");
        Assert.Equal(50, Percent());
    }

    [Fact]
    public void Use_OfAContainerThatDoesNotSeeItsPath_IsThatOfTheTopmostFolder()
    {
        Groups("0::/kubepods/pod1/c1");
        Write("memory.max", "1000");
        Write("memory.current", "400");
        Assert.Equal(40, Percent());
    }

    [Theory]
    [InlineData("")]
    [InlineData("0::/a")]
    [InlineData("nonsense")]
    public void Use_WithoutALimitedGroup_IsTheProcesssShareOfTheMachine(string groups)
    {
        Groups(groups);
        Write("a/memory.max", "max");
        Assert.Equal(10, Percent());
    }

    [Fact]
    public void Use_OfTheHeap_CountsIfItIsCloserToItsLimit()
    {
        Groups("0::/a");
        Write("a/memory.max", "1000");
        Write("a/memory.current", "800");
        _heap = new MemoryAmounts(740, 750);
        Assert.Equal(100.0 * 740 / 750, Percent());
    }

    [Fact]
    public void Limit_ThatChanges_IsSeen()
    {
        Groups("0::/a");
        Write("a/memory.max", "1000");
        Write("a/memory.current", "400");
        var use = Create();
        Assert.Equal(40, use.Percent());
        Write("a/memory.max", "500");
        Assert.Equal(80, use.Percent());
    }

    [Fact]
    public void Use_OfThisProcess_IsKnown()
    {
        _process = new MemoryAmounts(Environment.WorkingSet, ProcessMemory.OfMachine());
        Assert.InRange(new MemoryUse(new ControlGroups(), () => _process, () => default).Percent(), 0.01, 100);
    }

    private double Percent() => Create().Percent();

    private MemoryUse Create() => new(new ControlGroups(_folder["proc"], _folder["groups"]), () => _process, () => _heap);

    private void Groups(string text) => _folder.Write("proc/cgroup", text + "\n");

    private void Write(string name, string text) => _folder.Write("groups/" + name, text + "\n");
}
