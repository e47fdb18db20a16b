using CsCheck;
using Lintel.Pipeline;

namespace Lintel.Tests.Pipeline;

public sealed class TemplateTests
{
    private static readonly RouteParameters Parameters = new(["id", "rest"], [false, true]);

    private static readonly Snapshot Snapshot = GatewayReader.Snapshot(
        "services: { s: http://127.0.0.1:1 }\nroutes: { r: { match: { path: '/x/{id}/{**rest}', allow: [encodedSlashes, semicolons] "
            + "}, forward: s } }\n"
    );

    [Theory]
    [InlineData("plain", "plain", "plain")]
    [InlineData("{id}", "a b", "a%20b")]
    [InlineData("<{id}>", "<a b>", "%3Ca%20b%3E")]
    [InlineData("{ID}", "a b", "a%20b")]
    [InlineData("{rest}", "c/d", "c%2Fd")]
    [InlineData("{{{id}}}", "{a b}", "%7Ba%20b%7D")]
    [InlineData("{query:q}", "1&2", "1%262")]
    [InlineData("{query:none}", "", null)]
    [InlineData("a{query:none}", "a", "a")]
    [InlineData("{header:X-A}", "h;1", "h%3B1")]
    [InlineData("{cookie:c}", "v", "v")]
    [InlineData("{clientIp}", "192.0.2.1", "192.0.2.1")]
    [InlineData("{host}", "gateway.test:80", "gateway.test%3A80")]
    public void Template_Rendered_IsEscapedForItsPlace(string text, string inHeader, string? inQuery)
    {
        var template = Template.Parse(text, Parameters, out var problem, out _);
        Assert.True(template is not null, problem);
        var exchange = TestRequest.Matched(
            Snapshot,
            TestRequest.Create("GET", "/x/a%20b/c/d?q=1%262", "gateway.test:80", ("X-A", "h;1"), ("Cookie", "c=v"))
        );
        Assert.Equal(inHeader, template.RenderForHeader(exchange));
        Assert.Equal(inQuery, template.RenderForQuery(exchange, "x"));
    }

    [Theory]
    [InlineData("{nope}")]
    [InlineData("{")]
    [InlineData("}")]
    [InlineData("{}")]
    [InlineData("{query:}")]
    [InlineData("{claim:}")]
    [InlineData("{body:x}")]
    [InlineData("{id")]
    [InlineData("a}b")]
    public void Template_ThatIsWrong_SaysWhyAndWhatToDo(string text)
    {
        Assert.Null(Template.Parse(text, Parameters, out var problem, out var hint));
        Assert.NotNull(problem);
        Assert.NotNull(hint);
    }

    [Theory]
    [InlineData("%C3%BC", "%C3%BC")]
    [InlineData("a%7Eb", "a~b")]
    public void Header_FromAParameterBeyondAscii_IsEscaped(string segment, string expected)
    {
        var exchange = TestRequest.Matched(Snapshot, TestRequest.Create("GET", "/x/" + segment + "/"));
        Assert.Equal(expected, Template.Parse("{id}", Parameters, out _, out _)!.RenderForHeader(exchange));
    }

    /// <summary>No query value can end a header line.</summary>
    [Theory]
    [InlineData("a%0d%0aX-Evil:%201")]
    [InlineData("a%0a")]
    [InlineData("a%00")]
    [InlineData("a%7f")]
    public void Header_FromAValueWithControls_IsRefused(string value)
    {
        var exchange = TestRequest.Matched(Snapshot, TestRequest.Create("GET", "/x/a/?q=" + value));
        Assert.Null(Template.Parse("<{query:q}>", Parameters, out _, out _)!.RenderForHeader(exchange));
    }

    [Fact]
    public void Query_FromAnyValue_IsOneParameterWithThatValue() =>
        Gen.String.Sample(
            value =>
            {
                if (value.Any(char.IsSurrogate))
                    return;
                var exchange = TestRequest.Matched(Snapshot, TestRequest.Create("GET", "/x/a/?q=" + Uri.EscapeDataString(value)));
                var rendered = Template.Parse("{query:q}", Parameters, out _, out _)!.RenderForQuery(exchange, "x");
                Assert.Equal(value, Uri.UnescapeDataString(rendered!));
                Assert.DoesNotContain(rendered!, c => c is '&' or '=' or '#' or '+' or ' ' or '?');
            },
            iter: 3_000
        );
}
