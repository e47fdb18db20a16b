using Lintel.Runtime;

namespace Lintel.Tests.Runtime;

public sealed class CallGraphTests
{
    /// <summary>Random graphs, against reachability by Warshall's closure.</summary>
    [Fact]
    public void Rings_OfRandomGraphs_AreRealAndFoundWhereverCallsWaitForEachOther()
    {
        var random = new Random(20261125);
        var (cyclic, acyclic) = (0, 0);
        for (var round = 0; round < 3000; round++)
        {
            var count = random.Next(1, 12);
            var density = random.NextDouble() * 2 / count;
            var needs = Enumerable.Range(0, count).ToDictionary(Name, _ => new HashSet<string>());
            for (var i = 0; i < count; i++)
            {
                for (var j = 0; j < count; j++)
                {
                    if (random.NextDouble() < density)
                        needs[Name(i)].Add(Name(j));
                }
            }

            var reaches = Closure(needs, count);
            var rings = CallGraph.Rings(needs);

            foreach (var ring in rings)
            {
                for (var i = 0; i < ring.Count; i++)
                    Assert.Contains(ring[(i + 1) % ring.Count], needs[ring[i]]);
            }

            Assert.Equal(rings.Sum(r => r.Count), rings.SelectMany(r => r).Distinct().Count());
            var told = rings.SelectMany(r => r).ToHashSet();
            for (var i = 0; i < count; i++)
            {
                // A call that waits for itself in any way is in a component with a reported cycle.
                if (reaches[i, i])
                    Assert.Contains(Enumerable.Range(0, count), j => reaches[i, j] && reaches[j, i] && told.Contains(Name(j)));
                else
                    Assert.DoesNotContain(Name(i), told);
            }

            cyclic += rings.Count > 0 ? 1 : 0;
            acyclic += rings.Count == 0 ? 1 : 0;
        }

        Assert.True(cyclic > 500 && acyclic > 500, $"{cyclic} with rings, {acyclic} without: one side is not tested");
    }

    [Fact]
    public void Rings_OfAHundredCallsInARow_AreNone()
    {
        var needs = Enumerable.Range(0, 100).ToDictionary(Name, i => Enumerable.Range(0, i).Select(Name).ToHashSet());
        Assert.Empty(CallGraph.Rings(needs));
        needs[Name(0)].Add(Name(99));
        Assert.NotEmpty(CallGraph.Rings(needs));
    }

    [Fact]
    public void Rings_ThroughACallThatIsMissing_AreNone() =>
        Assert.Empty(CallGraph.Rings(new Dictionary<string, HashSet<string>> { ["a"] = ["b"] }));

    private static string Name(int index) => "c" + index;

    private static bool[,] Closure(Dictionary<string, HashSet<string>> needs, int count)
    {
        var reaches = new bool[count, count];
        for (var i = 0; i < count; i++)
        {
            for (var j = 0; j < count; j++)
                reaches[i, j] = needs[Name(i)].Contains(Name(j));
        }

        for (var k = 0; k < count; k++)
        {
            for (var i = 0; i < count; i++)
            {
                for (var j = 0; j < count; j++)
                    reaches[i, j] |= reaches[i, k] && reaches[k, j];
            }
        }

        return reaches;
    }
}
