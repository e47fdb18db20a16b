using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Lintel.Config;
using Lintel.Errors;
using Lintel.JmesPath;
using Lintel.Tests.Observability;

namespace Lintel.Tests.Composition;

/// <summary>
/// The statements of <c>docs/guides/composition.md</c> about expressions, keys and errors are correct. Functional tests run its examples.
/// </summary>
public sealed partial class CompositionGuideTests
{
    private static readonly string Guide = Read("composition.md");

    public static TheoryData<string, string> Expressions()
    {
        var rows = new TheoryData<string, string>();
        foreach (var match in Row().Matches(Guide[Guide.IndexOf("## JMESPath", StringComparison.Ordinal)..]).Cast<Match>())
        {
            var cells = match.Value.Replace(@"\|", "\0", StringComparison.Ordinal).Split('|', StringSplitOptions.TrimEntries)[1..^1];
            var columns = cells
                .Select(c => Code().Match(c))
                .Where(m => m.Success)
                .Select(m => (m.Groups[1].Success ? m.Groups[1] : m.Groups[2]).Value.Trim().Replace('\0', '|'))
                .ToList();
            if (cells.Length == 3 && columns.Count >= 2 && cells[0] is not "expression")
                rows.Add(columns[^2], columns[^1]);
        }

        return rows;
    }

    [Fact]
    public void Tables_OfExpressions_AreRead() => Assert.True(Expressions().Count >= 15 + 20, $"{Expressions().Count} rows");

    [Theory]
    [MemberData(nameof(Expressions))]
    public void Expression_OfTheGuide_GivesWhatItSays(string text, string expected)
    {
        using var document = JsonDocument.Parse(Regex.Match(Guide, "```json\n(.+?)```", RegexOptions.Singleline).Groups[1].Value);
        var expression = Expression.Parse(text, out var problem);
        Assert.True(expression is not null, $"{text}: {problem?.Message}");
        Assert.True(expression.TryEvaluate(new Value(document.RootElement), out var value, out var failure), $"{text}: {failure}");
        var output = new ArrayBufferWriter<byte>();
        value.WriteTo(output, 1 << 20);
        Assert.Equal(expected, Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Fact]
    public void Functions_AreAllInTheTable() => Assert.All(FunctionTable.Names, name => Assert.Matches($@"\n\| [^|]*`{name}\(", Guide));

    [Fact]
    public void Keys_AreAllInTheReference_AndHaveAnExample()
    {
        var reference = Read("configuration.md");
        (string Prefix, Type Type)[] records =
        [
            ("", typeof(ComposeConfig)),
            ("calls.*.", typeof(CallConfig)),
            ("respond.", typeof(ComposedAnswerConfig)),
            ("limits.", typeof(ComposeLimitsConfig)),
        ];
        foreach (var (prefix, type) in records)
        {
            foreach (
                var key in type.GetProperties()
                    .Select(p => char.ToLowerInvariant(p.Name[0]) + p.Name[1..])
                    .Where(k => k is not ("calls" or "respond" or "limits"))
            )
            {
                Assert.Contains($"\n| `{prefix}{key}`", reference, StringComparison.Ordinal);
                Assert.Matches($@"(?m)(^ *|[{{,] ){key}:\s|(?m)`{key}: ", Guide);
            }
        }
    }

    [Theory]
    [InlineData(nameof(GatewayErrorKind.CallUnavailable))]
    [InlineData(nameof(GatewayErrorKind.CallTimeout))]
    [InlineData(nameof(GatewayErrorKind.CallFailed))]
    [InlineData(nameof(GatewayErrorKind.ResponseTimeout))]
    [InlineData(nameof(GatewayErrorKind.MalformedAnswer))]
    [InlineData(nameof(GatewayErrorKind.AnswerTooLarge))]
    [InlineData(nameof(GatewayErrorKind.TooManyItems))]
    [InlineData(nameof(GatewayErrorKind.MissingInput))]
    [InlineData(nameof(GatewayErrorKind.BadPlaceholder))]
    [InlineData(nameof(GatewayErrorKind.ExpressionFailed))]
    public void Failures_HaveTheStatusOfTheTable(string kind)
    {
        var rule = ErrorTable.Get(Enum.Parse<GatewayErrorKind>(kind));
        Assert.Matches($@"\| `{rule.Slug}` \| {rule.Status} \|", Guide);
    }

    [Fact]
    public void Defaults_Told_AreThoseOfTheCode()
    {
        var (limits, call, hedge, compose) = (
            new ComposeLimitsConfig(),
            new CallConfig { Request = null! },
            new HedgeConfig(),
            new ComposeConfig { Calls = [] }
        );
        Assert.Contains($"| `limits.call` | {limits.Call >> 20} MiB |", Guide, StringComparison.Ordinal);
        Assert.Contains($"| `limits.total` | {limits.Total >> 20} MiB |", Guide, StringComparison.Ordinal);
        Assert.Contains($"| `limits.requests` | {limits.Requests} |", Guide, StringComparison.Ordinal);
        Assert.Contains($"| `calls.*.maxItems` | {call.MaxItems} |", Guide, StringComparison.Ordinal);
        Assert.Contains($"| `calls.*.concurrency` | {call.Concurrency} |", Guide, StringComparison.Ordinal);
        Assert.Contains($"At most `budget` ({hedge.Budget} %)", Guide, StringComparison.Ordinal);
        Assert.Contains($"(default {string.Join(" and ", compose.ForwardHeaders.Select(h => $"`{h}`"))})", Guide, StringComparison.Ordinal);
    }

    [Fact]
    public void DesignedDashboard_AsItIsWritten_Loads()
    {
        // The example by which the grammar was agreed.
        using var folder = new TemporaryFolder();
        File.WriteAllText(
            folder["gateway.yaml"],
            """
            listeners: { public: "http://127.0.0.1:0" }
            services: { users: "http://127.0.0.1:5101", orders: "http://127.0.0.1:5201", marketing: "http://127.0.0.1:5401", catalog: "http://127.0.0.1:5301" }
            clients: { mobile: { when: { headers: { X-Client: { oneOf: [ios, android] } } } } }
            routes:
              dashboard:                                # API composition: one call in, many calls out, one answer back
                match: GET /api/dashboard/{userId}
                compose:
                  deadline: 800ms                       # for the whole answer
                  calls:
                    user:                               # required: its failure is the answer's failure
                      request: users/users/{userId}     # [METHOD] service/path, GET by default
                      passthrough: [404]
                    orders:
                      request: orders/orders?user={userId}
                      optional: true
                      timeout: 300ms
                      fallback: [stale, { value: [] }]
                    segment: marketing/segments/{user.segmentId}    # refers to `user`, so it runs after it; everything else in parallel
                    products:                           # fan-out over a list: equal keys called once
                      forEach: orders[*].productId      # JMESPath over the results so far
                      request: catalog/products/{item}  # or batch: 50 with catalog/products?ids={items}
                      join: { into: orders, on: "id = productId", as: product }
                      concurrency: 8
                      maxItems: 100
                      optional: true
                  respond:                              # default: one property per call, in declared order
                    body:
                      name: user.name                   # JMESPath expressions
                      orders: "orders[*].{id: id, total: total, product: product.name}"
                    headers: { X-Segment: segment.name }
                  variants:                             # backends for frontends: the same data, shaped per client
                    mobile: { body: { name: user.name, orderCount: length(orders) } }
            """
        );
        var reading = GatewayReader.Load(folder["gateway.yaml"]);
        Assert.Empty(reading.Report.Problems);
    }

    private static string Read(string name) => File.ReadAllText(Path.Combine(Repository.Root, "docs", "guides", name));

    [GeneratedRegex(@"^\| .+ \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("^(?:`` (.+?) ``|`(.+?)`)$")]
    private static partial Regex Code();
}
