using System.Text.RegularExpressions;
using CsCheck;
using Lintel.Observability.Traces;
using Microsoft.Extensions.Primitives;

namespace Lintel.Tests.Observability.Traces;

/// <summary><c>tracestate</c> by W3C Trace Context level 1, section 3.3.</summary>
public sealed partial class TraceStateTests
{
    private static readonly string Key256 = "k" + new string('a', 255);
    private static readonly string Tenant = "t" + new string('0', 240);
    private static readonly string System = "s" + new string('z', 13);

    /// <summary>The received value, and the forwarded one; <see langword="null"/> for none.</summary>
    public static TheoryData<string, string?> Lines =>
        new()
        {
            { "a=1", "a=1" },
            { "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE" },
            { "a=1, b=2", "a=1,b=2" },
            { "a=1 \t,\t b=2", "a=1,b=2" },
            { "a=1,", "a=1" },
            { ",a=1", "a=1" },
            { "a=1,,b=2, ,c=3", "a=1,b=2,c=3" },
            { "", null },
            { " , ", null },
            { "a", null },
            { "a=", null },
            { "=1", null },
            { "a=1=2", null },
            { "a =1", null },
            { "a= 1", "a= 1" }, // a value may begin with a space
            { "a=1 2", "a=1 2" },
            { "a=1\t2", null },
            { "a=é", null },
            { "a=!#~", "a=!#~" },
            { "a=1,b=2,B=3", null },
            { "A=1", null },
            { "1a=1", null },
            { "a-_*/0=1", "a-_*/0=1" },
            { "a.b=1", null },
            { "a@b=1", "a@b=1" },
            { "0@b=1", "0@b=1" },
            { "0b-*/@b9=1", "0b-*/@b9=1" },
            { "a@0=1", null },
            { "a@B=1", null },
            { "@b=1", null },
            { "a@=1", null },
            { "a@b@c=1", null },
            { "_a@b=1", null },
            { Key256 + "=1", Key256 + "=1" },
            { Key256 + "a=1", null },
            { $"{Tenant}@{System}=1", $"{Tenant}@{System}=1" },
            { $"{Tenant}0@{System}=1", null },
            { $"{Tenant}@{System}z=1", null },
            { "a=" + new string('v', 256), "a=" + new string('v', 256) },
            { "a=" + new string('v', 257), null },
            { "a=1,b=2,a=3", "a=1,b=2" }, // the first is the newest
            { "a=1,a=1", "a=1" },
            { "ab=1,a=2", "ab=1,a=2" },
        };

    [Theory]
    [MemberData(nameof(Lines))]
    public void List_OfOneLine_GoesOnAs(string line, string? expected) => Assert.Equal(expected, TraceState.Parse(line));

    [Fact]
    public void Lines_OfSeveralHeaders_AreOneListInOrder()
    {
        Assert.Equal("a=1,b=2,c=3", TraceState.Parse(new StringValues(["a=1,b=2", "c=3"])));
        Assert.Equal("b=2", TraceState.Parse(new StringValues(["", "b=2", ""])));
        Assert.Equal("a=1", TraceState.Parse(new StringValues(["a=1", "a=2"])));
        Assert.Null(TraceState.Parse(new StringValues(["a=1", "B=2"])));
        Assert.Null(TraceState.Parse(default));
    }

    [Fact]
    public void Members_MoreThan32_AreNoList()
    {
        static string Members(int count) => string.Join(',', Enumerable.Range(0, count).Select(i => $"k{i}=1"));
        Assert.Equal(Members(32), TraceState.Parse(Members(32)));
        Assert.Equal(Members(32), TraceState.Parse(Members(32) + ",,"));
        Assert.Null(TraceState.Parse(Members(33)));
        Assert.Null(TraceState.Parse(new StringValues([Members(32), "z=1"])));
    }

    [Fact]
    public void List_LongerThan512_LosesLongMembersFirstAndThenTheLast()
    {
        var (x100, x130) = (new string('x', 98), new string('x', 128)); // members of 100 and 130 characters
        var exact = $"a={x100},b={x100},c={x100},d={x100},e={new string('x', 106)}";
        Assert.Equal(512, exact.Length);
        Assert.Equal(exact, TraceState.Parse(exact));
        Assert.Equal($"a={x100},b={x100},c={x100},d={x100}", TraceState.Parse(exact + "x"));
        Assert.Equal($"b={x100},c={x100},d={x100},e={x100}", TraceState.Parse($"a={x130},b={x100},c={x100},d={x100},e={x100}"));
        Assert.Equal($"a={x130},c={x100},d={x100}", TraceState.Parse($"a={x130},c={x100},d={x100},z={new string('x', 200)}"));
        Assert.Null(TraceState.Parse($"{Key256}={new string('v', 256)}"));
    }

    [Fact]
    public void List_OfAnyMembers_IsWhatTheGrammarSaysAndStandsTwice()
    {
        var pieces = Word(
            "a=1",
            "b=2",
            "ab@c=3",
            "A=1",
            " ",
            "",
            "d",
            "=",
            "e= x",
            "f=x ",
            "g=\t",
            "0@h=4",
            "0=1",
            "i=" + new string('y', 126),
            "j=" + new string('z', 200),
            "k=1,k=2",
            "é=1"
        );
        pieces
            .Array[0, 8]
            .Array[0, 4]
            .Sample(lines =>
            {
                var values = lines.Select(l => string.Join(',', l)).ToArray();
                var members = values.SelectMany(v => v.Split(',')).Select(m => m.Trim(' ', '\t')).Where(m => m.Length > 0).ToList();
                var result = TraceState.Parse(values);
                if (members.Count is 0 or > 32 || members.Any(m => !Member().IsMatch(m)))
                {
                    Assert.Null(result);
                    return;
                }

                Assert.True(result is null || result.Length <= 512);
                Assert.Equal(result, TraceState.Parse(result));
                var kept = result?.Split(',') ?? [];
                Assert.Equal(kept.DistinctBy(m => m.Split('=')[0]), kept);
                Assert.Equal(members.DistinctBy(m => m.Split('=')[0]).Where(kept.Contains), kept);
                if (members.DistinctBy(m => m.Split('=')[0]).Sum(m => m.Length + 1) <= 513)
                    Assert.Equal(string.Join(',', members.DistinctBy(m => m.Split('=')[0])), result);
            });
    }

    private static Gen<string> Word(params string[] words) => Gen.Int[0, words.Length - 1].Select(i => words[i]);

    [GeneratedRegex(
        @"\A([a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]\z"
    )]
    private static partial Regex Member();
}
