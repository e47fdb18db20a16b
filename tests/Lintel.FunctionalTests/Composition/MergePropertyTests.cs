using System.Text.Json;
using CsCheck;

namespace Lintel.FunctionalTests.Composition;

/// <summary>
/// For any documents, shapes and failures a composed answer is what a naive implementation makes of the parts, and what nobody touches is
/// as it came.
/// </summary>
[AnyTransport]
public sealed class MergePropertyTests
{
    private const int Compositions = 60;
    private const int Requests = 8;

    [Fact]
    public async Task Answer_OfAnyComposition_IsTheNaiveOne() =>
        await Gen.Int.SampleAsync(
            async seed =>
            {
                var composition = new RandomComposition(seed);
                await using var backend = await Backend.StartAsync();
                var yaml = composition.Yaml;
                await using var gateway = await ComposedGateway.StartAsync(yaml, backend);
                for (var i = 0; i < Requests; i++)
                {
                    var expected = composition.Next(backend);
                    var answer = await gateway.GetAsync();
                    Assert.True(answer.Status == 200, $"{answer.Body}\n{yaml}");
                    using var document = JsonDocument.Parse(answer.Body);
                    var difference = expected.Difference(document.RootElement);
                    Assert.True(difference is null, $"{difference}\n{answer.Body}\n{yaml}");
                }
            },
            iter: Compositions,
            threads: 2
        );
}
