using CsCheck;
using Lintel.Routing;

namespace Lintel.Tests.Routing;

public sealed class RequestTargetTests
{
    [Theory]
    [InlineData("/", "/")]
    [InlineData("/a/b", "/a/b")]
    [InlineData("/a/b/", "/a/b/")]
    [InlineData("//", "/")]
    [InlineData("//a", "/a")]
    [InlineData("/a//b", "/a/b")]
    [InlineData("/a///", "/a/")]
    [InlineData("/./a", "/a")]
    [InlineData("/a/.", "/a/")]
    [InlineData("/a/./b", "/a/b")]
    [InlineData("/a/../b", "/b")]
    [InlineData("/a/b/..", "/a/")]
    [InlineData("/a/b/../", "/a/")]
    [InlineData("/a/..", "/")]
    [InlineData("/a//../b", "/b")]
    [InlineData("/%2e/a", "/a")]
    [InlineData("/a/%2e%2e/b", "/b")]
    [InlineData("/a/%2E%2E/b", "/b")]
    [InlineData("/a/.%2e/b", "/b")]
    [InlineData("/...", "/...")]
    [InlineData("/.hidden", "/.hidden")]
    [InlineData("/a..b", "/a..b")]
    [InlineData("/%61%7E%2D%5F", "/a~-_")]
    [InlineData("/%e4%bd%a0", "/%E4%BD%A0")]
    [InlineData("/a%20b", "/a%20b")]
    [InlineData("/a+b", "/a+b")]
    [InlineData("/%21%24%26", "/%21%24%26")]
    [InlineData("/!$&'()*+,=:@", "/!$&'()*+,=:@")]
    [InlineData("/{id}", "/%7Bid%7D")]
    [InlineData("/a\"<>^`|b", "/a%22%3C%3E%5E%60%7Cb")]
    [InlineData("/[a]", "/%5Ba%5D")]
    [InlineData("/%25", "/%25")]
    [InlineData("/%252e%252e/a", "/%252e%252e/a")]
    [InlineData("http://host", "/")]
    [InlineData("http://host/a//b", "/a/b")]
    [InlineData("HTTPS://host:8443/a", "/a")]
    public void Path_OfEveryClass_IsNormalised(string raw, string expected)
    {
        Assert.True(RequestTarget.TryParse(raw, out var target, out var problem), problem);
        Assert.Equal(expected, target.Path);
        Assert.Equal("", target.Query);
        Assert.Equal(PathTraits.None, target.Traits);
    }

    [Theory]
    [InlineData("", "neither")]
    [InlineData("*", "neither")]
    [InlineData("a/b", "neither")]
    [InlineData("ftp://host/a", "neither")]
    [InlineData("host:443", "neither")]
    [InlineData("/..", "above")]
    [InlineData("/../a", "above")]
    [InlineData("/a/../../b", "above")]
    [InlineData("/%2e%2e/a", "above")]
    [InlineData("/a/..;x/b", "hidden dot segment")]
    [InlineData("/a/.;/b", "hidden dot segment")]
    [InlineData("/a/..%3Bx/b", "hidden dot segment")]
    [InlineData("/a/..%2fb", "hidden dot segment")]
    [InlineData("/a/..%2Fb", "hidden dot segment")]
    [InlineData("/a/x%2f..", "hidden dot segment")]
    [InlineData("/a/..%5cb", "hidden dot segment")]
    [InlineData("/a/%2e%2e%2fb", "hidden dot segment")]
    [InlineData("/a\\b", "must be percent-encoded")]
    [InlineData("/a b", "must be percent-encoded")]
    [InlineData("/a#b", "must be percent-encoded")]
    [InlineData("/é", "must be percent-encoded")]
    [InlineData("/a\tb", "must be percent-encoded")]
    [InlineData("/a\r\nb", "must be percent-encoded")]
    [InlineData("/%00", "control")]
    [InlineData("/%0d%0a", "control")]
    [InlineData("/%1F", "control")]
    [InlineData("/%7f", "control")]
    [InlineData("/%", "percent")]
    [InlineData("/%4", "percent")]
    [InlineData("/%zz", "percent")]
    [InlineData("/a%2", "percent")]
    [InlineData("/%u0041", "percent")]
    [InlineData("/%c0%af", "UTF-8")]
    [InlineData("/%e0%80%af", "UTF-8")]
    [InlineData("/a/%c0%ae%c0%ae/b", "UTF-8")]
    [InlineData("/%f0%80%80%af", "UTF-8")]
    [InlineData("/a?b#c", "query")]
    [InlineData("/a?b c", "query")]
    [InlineData("/a?b\r\nc", "query")]
    [InlineData("/a?b\0", "query")]
    [InlineData("/a?é", "query")]
    [InlineData("/a?\u007f", "query")]
    public void Target_ThatIsMalformedOrAmbiguous_IsRefused(string raw, string reason)
    {
        Assert.False(RequestTarget.TryParse(raw, out _, out var problem));
        Assert.Contains(reason, problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/a%2fb", "/a%2Fb", PathTraits.EncodedSlash)]
    [InlineData("/a%5cb", "/a%5Cb", PathTraits.EncodedSlash)]
    [InlineData("/a;v=1", "/a;v=1", PathTraits.Semicolon)]
    [InlineData("/a%3bv", "/a%3Bv", PathTraits.Semicolon)]
    [InlineData("/%ff", "/%FF", PathTraits.RawBytes)]
    [InlineData("/%ed%a0%80", "/%ED%A0%80", PathTraits.RawBytes)]
    [InlineData("/%e4%bd", "/%E4%BD", PathTraits.RawBytes)]
    [InlineData("/%e4%bdx", "/%E4%BDx", PathTraits.RawBytes)]
    [InlineData("/a%2F;b", "/a%2F;b", PathTraits.EncodedSlash | PathTraits.Semicolon)]
    public void Path_ThatServicesReadDifferently_IsMarked(string raw, string expected, object traits)
    {
        Assert.True(RequestTarget.TryParse(raw, out var target, out _));
        Assert.Equal(expected, target.Path);
        Assert.Equal((PathTraits)traits, target.Traits);
    }

    [Theory]
    [InlineData("/a//b", "/a/b", "/a//b")]
    [InlineData("//", "/", "//")]
    [InlineData("//a/", "/a/", "//a/")]
    [InlineData("/a//", "/a/", "/a//")]
    [InlineData("/a//../b", "/b", "/a/b")]
    [InlineData("/a/b", "/a/b", null)]
    public void Path_WithEmptySegments_IsKeptBesideTheMergedOne(string raw, string merged, string? unmerged)
    {
        Assert.True(RequestTarget.TryParse(raw, out var target, out _));
        Assert.Equal((merged, unmerged), (target.Path, target.Unmerged));
    }

    [Theory]
    [InlineData("/admin;x/y", "/admin/y")]
    [InlineData("/admin%3Bx/y", "/admin/y")]
    [InlineData("/admin%2Fx", "/admin/x")]
    [InlineData("/admin%5Cx", "/admin/x")]
    [InlineData("/;x/admin/y", "/admin/y")]
    [InlineData("/x;a%2Fadmin", "/x/admin")]
    [InlineData("/x;a%2Fadmin", "/x")]
    [InlineData("/caf%E9/x", "/caf%C3%A9/x")]
    public void Path_ThatServicesReadDifferently_HasThatReading(string raw, string reading)
    {
        Assert.True(RequestTarget.TryParse(raw, out var target, out _));
        Assert.Contains(reading, target.OtherReadings());
    }

    [Theory]
    [InlineData("/a?", "/a", "?")]
    [InlineData("/a?b=%2e%2e/../c&&d", "/a", "?b=%2e%2e/../c&&d")]
    [InlineData("/?a?b", "/", "?a?b")]
    [InlineData("http://host?a", "/", "?a")]
    [InlineData("/a%3Fb?c", "/a%3Fb", "?c")]
    public void Query_OfATarget_PassesAsItIs(string raw, string path, string query)
    {
        Assert.True(RequestTarget.TryParse(raw, out var target, out _));
        Assert.Equal((path, query), (target.Path, target.Query));
    }

    [Theory]
    [InlineData("users", "users")]
    [InlineData("%75sers", "users")]
    [InlineData("münchen", "m%C3%BCnchen")]
    [InlineData("m%c3%bcnchen", "m%C3%BCnchen")]
    [InlineData("a b", "a%20b")]
    [InlineData("50%", "50%25")]
    [InlineData("a;b", "a;b")]
    public void Literal_OfATemplate_ComparesWithNormalisedPaths(string literal, string expected) =>
        Assert.Equal(expected, RequestTarget.NormalizeLiteral(literal));

    [Fact]
    public void Normalising_OfAnyTarget_IsIdempotent() =>
        Paths.Sample(
            raw =>
            {
                if (!RequestTarget.TryParse(raw, out var once, out _))
                    return;
                Assert.True(RequestTarget.TryParse(once.Path + once.Query, out var twice, out var problem), problem);
                Assert.Equal((once.Path, once.Query), (twice.Path, twice.Query));
                Assert.Equal(twice.Traits, twice.Traits & once.Traits);
            },
            iter: 20_000
        );

    [Fact]
    public void Result_OfAnyTarget_IsCanonical() =>
        Paths.Sample(
            raw =>
            {
                if (!RequestTarget.TryParse(raw, out var target, out _))
                    return;
                Assert.Matches("^(/|(/([A-Za-z0-9._~!$&'()*+,=:@;-]|%[0-9A-F]{2})+)+/?)$", target.Path);
                Assert.DoesNotMatch("%(2D|2E|5F|7E|3[0-9]|4[1-9A-F]|5[0-9A]|6[1-9A-F]|7[0-9A]|[01].|7F)", target.Path);
                Assert.DoesNotContain(target.Path.Split('/'), s => s is "." or "..");
            },
            iter: 20_000
        );

    /// <summary>Whatever a service decodes or removes, no accepted path leads above its root.</summary>
    [Fact]
    public void Result_ReadByACarelessService_LeadsNowhereElse() =>
        Paths.Sample(
            raw =>
            {
                if (!RequestTarget.TryParse(raw, out var target, out _))
                    return;
                var careless = Uri.UnescapeDataString(target.Path).Replace('\\', '/');
                Assert.DoesNotContain(careless.Split('/'), s => s.Split(';')[0] is "." or "..");
            },
            iter: 20_000
        );

    [Fact]
    public void RandomTargets_AreOftenEnoughAccepted()
    {
        var accepted = 0;
        Paths.Sample(
            raw =>
            {
                if (RequestTarget.TryParse(raw, out _, out _))
                    Interlocked.Increment(ref accepted);
            },
            iter: 2_000
        );
        Assert.InRange(accepted, 300, 1_900);
    }

    private static readonly string[] Pieces =
    [
        "a",
        "b",
        ".",
        "..",
        "/",
        "/",
        "/",
        "//",
        "%2e",
        "%2E",
        "%2f",
        "%5c",
        ";",
        "%3b",
        "%25",
        "%20",
        "~",
        "%7e",
        "{",
        "%41",
        "%e4%bd%a0",
        "%c3%A9",
        "é",
        "%00",
        "%",
        "+",
        "?",
        "x=1",
        "#",
    ];

    /// <summary>Paths made of the parts that attackers use.</summary>
    private static Gen<string> Paths { get; } =
        Gen.Int[0, Pieces.Length - 1].Select(i => Pieces[i]).Array[0, 8].Select(pieces => "/" + string.Concat(pieces));
}
