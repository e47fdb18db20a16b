using System.Diagnostics;
using System.Text.RegularExpressions;
using CsCheck;
using Lintel.Observability.Traces;

namespace Lintel.Tests.Observability.Traces;

/// <summary><c>traceparent</c> by W3C Trace Context level 1, sections 3.2 and 3.3.</summary>
public sealed partial class TraceContextTests
{
    private const string Trace = "0af7651916cd43dd8448eb211c80319c";
    private const string Parent = "b7ad6b7169203331";

    [Theory]
    [InlineData($"00-{Trace}-{Parent}-01", true)]
    [InlineData($"00-{Trace}-{Parent}-00", false)]
    [InlineData($"00-{Trace}-{Parent}-03", true)]
    [InlineData($"00-{Trace}-{Parent}-02", false)]
    [InlineData($"00-{Trace}-{Parent}-ff", true)]
    [InlineData($"01-{Trace}-{Parent}-01", true)]
    [InlineData($"cc-{Trace}-{Parent}-01", true)]
    [InlineData($"cc-{Trace}-{Parent}-01-what-the-future-will-be-like", true)]
    [InlineData($"cc-{Trace}-{Parent}-00-", false)]
    [InlineData($"fe-{Trace}-{Parent}-01-,=;", true)]
    [InlineData($"f0-{Trace}-{Parent}-01", true)]
    public void TraceParent_ThatIsValid_IsRead(string text, bool sampled)
    {
        Assert.True(TraceContext.TryParse(text, default, out var context));
        Assert.Equal(Trace, context.TraceId.ToHexString());
        Assert.Equal(Parent, context.SpanId.ToHexString());
        Assert.Equal(sampled, context.IsSampled);
        Assert.True(context.IsRemote);
    }

    [Theory]
    [InlineData("")]
    [InlineData("00")]
    [InlineData($"{Trace}-{Parent}-01")]
    [InlineData($"00-{Trace}-{Parent}")]
    [InlineData($"00-{Trace}-{Parent}-")]
    [InlineData($"00-{Trace}-{Parent}-1")]
    [InlineData($"00-{Trace}-{Parent}-01-")] // version 00 ends after its flags
    [InlineData($"00-{Trace}-{Parent}-01-more")]
    [InlineData($"00-{Trace}-{Parent}-011")]
    [InlineData($"cc-{Trace}-{Parent}-01.more")] // what follows begins with a dash
    [InlineData($"cc-{Trace}-{Parent}-0")]
    [InlineData($"ff-{Trace}-{Parent}-01")]
    [InlineData($"ff-{Trace}-{Parent}-01-more")]
    [InlineData($"0-{Trace}-{Parent}-01")]
    [InlineData($"000-{Trace}-{Parent}-01")]
    [InlineData($"0G-{Trace}-{Parent}-01")]
    [InlineData($".0-{Trace}-{Parent}-01")]
    [InlineData($"CC-{Trace}-{Parent}-01")]
    [InlineData($"00-0AF7651916CD43DD8448EB211C80319C-{Parent}-01")]
    [InlineData($"00-{Trace}-B7AD6B7169203331-01")]
    [InlineData($"00-{Trace}-{Parent}-0A")]
    [InlineData($"00-00000000000000000000000000000000-{Parent}-01")]
    [InlineData($"00-{Trace}-0000000000000000-01")]
    [InlineData($"00-{Trace}-{Parent}-.1")]
    [InlineData($"00-0af7651916cd43dd8448eb211c80319-{Parent}-01")]
    [InlineData($"00-{Trace}c-{Parent}-01")]
    [InlineData($"00-{Trace}-b7ad6b716920333-01")]
    [InlineData($"00-{Trace}-{Parent}1-01")]
    [InlineData($"00_{Trace}-{Parent}-01")]
    [InlineData($"00-{Trace}_{Parent}-01")]
    [InlineData($"00-{Trace}-{Parent}_01")]
    [InlineData($" 00-{Trace}-{Parent}-01")] // the server has taken the white space that is optional
    [InlineData($"00-{Trace}-{Parent}-01,00-{Trace}-{Parent}-01")]
    [InlineData($"cc-{Trace}-{Parent}-01,cc-{Trace}-{Parent}-01")]
    public void TraceParent_ThatIsNot_IsNoContext(string text)
    {
        Assert.False(TraceContext.TryParse(text, "a=1", out var context));
        Assert.Equal(default, context);
    }

    [Fact]
    public void TraceParent_SentTwice_IsNoContext()
    {
        const string Text = $"00-{Trace}-{Parent}-01";
        Assert.False(TraceContext.TryParse(new([Text, Text]), default, out _));
        Assert.False(TraceContext.TryParse(default, "a=1", out _));
    }

    [Fact]
    public void TraceState_BesideAValidParent_IsKeptOrLeftOut()
    {
        Assert.True(TraceContext.TryParse($"00-{Trace}-{Parent}-01", "a=1", out var context));
        Assert.Equal("a=1", context.State);
        Assert.True(TraceContext.TryParse($"00-{Trace}-{Parent}-01", "A=1", out context));
        Assert.Null(context.State);
    }

    [Fact]
    public void NextHop_OfAnyVersion_IsToldVersion00AndTheSampledFlagAlone()
    {
        Assert.True(TraceContext.TryParse($"cc-{Trace}-{Parent}-ff-x", default, out var context));
        var first = context.ToTraceParent(null);
        Assert.Matches($"^00-{Trace}-[0-9a-f]{{16}}-01$", first);
        Assert.NotEqual(first, context.ToTraceParent(null));
        Assert.DoesNotContain(Parent, first, StringComparison.Ordinal);

        using var span = new Activity("x").SetParentId(context.TraceId, context.SpanId).Start();
        Assert.Equal($"00-{Trace}-{span.SpanId.ToHexString()}-00", context.ToTraceParent(span));
    }

    [Fact]
    public void NewRoot_HasAnIdAndNoParent()
    {
        var root = TraceContext.NewRoot();
        Assert.NotEqual(default, root.TraceId);
        Assert.False(root.IsRemote);
        Assert.Equal(default, root.SpanId);
        Assert.True(TraceContext.TryParse(root.ToTraceParent(null), default, out var next));
        Assert.Equal(root.TraceId, next.TraceId);
    }

    /// <summary>The grammar again, as an expression.</summary>
    [Fact]
    public void Parser_OnAlmostValidText_AgreesWithTheGrammar()
    {
        const string Alphabet = "0123456789abcdefABCDEFg-_. \t,";
        var mutations = Gen.Select(Gen.Int[0, 60], Gen.Int[0, Alphabet.Length - 1], Gen.Int[0, 2]).Array[0, 3];
        var versions = Word("00", "01", "cc", "fe", "ff");
        Gen.Select(versions, mutations, Word("", "-", "-x", "x"))
            .Sample(
                (version, changes, tail) =>
                {
                    var text = $"{version}-{Trace}-{Parent}-01{tail}";
                    foreach (var (at, letter, how) in changes)
                    {
                        var place = Math.Min(at, text.Length - 1);
                        text = how switch
                        {
                            0 => text.Remove(place, 1).Insert(place, Alphabet[letter].ToString()),
                            1 => text.Insert(place, Alphabet[letter].ToString()),
                            _ => text.Remove(place, 1),
                        };
                    }

                    Assert.Equal(Grammar().IsMatch(text), TraceContext.TryParse(text, default, out _));
                }
            );
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(10, 1000)]
    [InlineData(50, 5000)]
    [InlineData(100, 10_000)]
    public void Samples_OfRandomTraces_AreTheShareThatWasAskedFor(double percent, int expected)
    {
        var sampled = Enumerable.Range(0, 10_000).Count(_ => GatewayTracing.Samples(ActivityTraceId.CreateRandom(), percent));
        Assert.InRange(sampled, expected - 300, expected + 300); // six standard deviations and more
        Assert.True(percent is not (0 or 100) || sampled == expected);
    }

    [Fact]
    public void Samples_OfOneTrace_AreTheSameEverywhereAndGrowWithTheShare()
    {
        var trace = ActivityTraceId.CreateFromString("ffffffffffffffffff80000000000000");
        Assert.True(GatewayTracing.Samples(trace, 50));
        Assert.False(GatewayTracing.Samples(trace, 49.9));
    }

    private static Gen<string> Word(params string[] words) => Gen.Int[0, words.Length - 1].Select(i => words[i]);

    [GeneratedRegex(@"\A(?!ff)([0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}((?<!\A00.*)-[^\n]*)?\z")]
    private static partial Regex Grammar();
}
