using CsCheck;
using Lintel.Routing;
using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Routing;

public sealed class HostedTargetTests
{
    [Theory]
    [InlineData("/a/b?x", "", "/a/b", "?x", "/a/b?x")]
    [InlineData("/a/./b", "", "/a/b", "", "/a/b")]
    [InlineData("/a%20%c3%a9", "", "/a é", "", "/a%20%C3%A9")]
    [InlineData("/a%2fb", "", "/a%2fb", "", "/a%2Fb")]
    [InlineData("/a%252fb", "", "/a%2fb", "", "/a%252fb")]
    [InlineData("/a%5Cb", "", "/a\\b", "", "/a%5Cb")]
    [InlineData("/base/a", "/base", "/a", "", "/a")]
    [InlineData("/b%C3%A4se/%C3%A9?q", "/bäse", "/é", "?q", "/%C3%A9?q")]
    [InlineData("/base", "/base", "", "", "/")]
    [InlineData("/a%20b", "/a b", "", "", "/")]
    [InlineData("/", "", "", "", "/")]
    [InlineData("/a", "", "/b", "?y", "/b?y")]
    [InlineData("/a", "", "/b%41", "", "/b%2541")]
    [InlineData("/a", "", "/b%2fc", "", "/b%2Fc")]
    [InlineData("", "", "/a b", "?y", "/a%20b?y")]
    public void Target_ThatTheApplicationSaw_IsTaken(string raw, string pathBase, string path, string query, string expected)
    {
        Assert.True(Read(raw, pathBase, path, query, out var target, out var problem), problem);
        Assert.Equal(expected, target.Path + target.Query);
    }

    [Theory]
    [InlineData("//a", "", "//a", "")]
    [InlineData("/a//b", "", "/a//b", "")]
    [InlineData("/a/../b", "", "/a/../b", "")]
    [InlineData("/base//a", "/base", "//a", "")]
    [InlineData("/../a", "", "/a", "")]
    [InlineData("*", "", "", "")]
    [InlineData("/a", "", "/..;x/b", "")]
    [InlineData("/a", "", "/b\0", "")]
    [InlineData("/a", "", "/\\udc00", "")]
    [InlineData("/a", "", "/a", "?a b")]
    public void Target_OfTwoReadings_IsRefused(string raw, string pathBase, string path, string query)
    {
        path = path.Replace("\\udc00", "\udc00", StringComparison.Ordinal); // half a character does not survive as test data
        Assert.False(Read(raw, pathBase, path, query, out _, out var problem));
        Assert.NotNull(problem);
    }

    [Theory]
    [InlineData("/a;b", "/a;b", PathTraits.Semicolon)]
    [InlineData("/a%2Fb", "/a%2Fb", PathTraits.EncodedSlash)]
    [InlineData("/x", "/a;b", PathTraits.Semicolon)]
    [InlineData("/x", "/a\\b", PathTraits.EncodedSlash)]
    internal void Traits_OfWhatIsSent_AreTold(string raw, string path, PathTraits traits)
    {
        Assert.True(Read(raw, "", path, "", out var target, out var problem), problem);
        Assert.Equal(traits, target.Traits);
    }

    [Theory]
    [InlineData("/a/b//../c", "/a/b/c")]
    [InlineData("/a%2Fb", "/a/b")]
    [InlineData("//a", "//a")]
    public void Target_UnchangedButReadOtherwiseByTheServer_IsRefused(string raw, string path)
    {
        Assert.False(
            HostedTarget.TryRead(raw, new HostedPath("", path, ""), isChanged: false, out var target, out var problem)
                && HostedTarget.IsKept(target, out problem)
        );
        Assert.NotNull(problem);
    }

    /// <summary>
    /// For any received path and any path that the application saw: a target routed below a path decodes to what its guards saw below it.
    /// </summary>
    [Fact]
    public void Target_OverAnyReading_IsNeverBelowWhatAGuardRefuses()
    {
        string[] pieces =
        [
            "x",
            "admin",
            "ADMIN",
            "/",
            "/",
            "//",
            ".",
            "..",
            "%2e",
            "%2F",
            "%2f",
            "%5c",
            "\\",
            "%61dmin",
            "%2561dmin",
            ";",
            "%",
            "é",
            "%C3%A9",
            "\ud83d\ude00",
        ];
        var text = Gen.Int[0, pieces.Length - 1].Select(i => pieces[i]).Array[0, 7].Select(p => "/" + string.Concat(p));
        Gen.Select(text, text, Gen.Bool)
            .Sample(
                (raw, other, isChanged) =>
                {
                    var path = new PathString(isChanged ? other : DecodeOnce(raw));
                    if (!Read(raw, "", path.Value!, "", out var target, out _))
                        return;
                    foreach (var guarded in new[] { "/admin", "/x/admin", "/x" })
                    {
                        if (
                            new PathString(
                                Uri.UnescapeDataString(target.Path.Replace("%2F", "%252F", StringComparison.Ordinal))
                            ).StartsWithSegments(guarded)
                        )
                            Assert.True(path.StartsWithSegments(guarded), $"{raw} seen as {path.Value} became {target.Path}");
                    }

                    Assert.DoesNotContain("//", target.Path, StringComparison.Ordinal);
                    Assert.DoesNotContain(target.Path.Split('/'), s => s is "." or "..");
                },
                iter: 20_000
            );
    }

    /// <summary>Like Kestrel, except for dot segments.</summary>
    private static string DecodeOnce(string raw) =>
        Uri.UnescapeDataString(raw.Replace("%2F", "%252F", StringComparison.Ordinal).Replace("%2f", "%252f", StringComparison.Ordinal));

    private static bool Read(string raw, string pathBase, string path, string query, out RequestTarget target, out string? problem)
    {
        var seen = new HostedPath(pathBase, path, query);
        return HostedTarget.TryRead(raw, seen, isChanged: true, out target, out problem) && HostedTarget.IsKept(target, out problem);
    }
}
