using System.Text.Json;
using CsCheck;

namespace Lintel.Tests.Composition;

/// <summary>
/// For any documents, shapes and failures a composed answer equals that of a naive implementation, and untouched parts are
/// byte-identical.
/// </summary>
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
                var backend = new MemoryService();
                var yaml = composition.Yaml;
                using var gateway = MemoryGateway.Compose(yaml, backend);
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
