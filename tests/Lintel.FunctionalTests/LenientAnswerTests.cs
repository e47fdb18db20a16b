using System.Text;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>Services whose answers break rules that a service may be allowed to break.</summary>
[EveryTransport]
public sealed class LenientAnswerTests
{
    [Theory]
    [InlineData("HTTP/1.1 200 OK\nContent-Length: 5\nX-A: b\n\nhello", "bareLf")]
    [InlineData("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nX-A: b\n\n5\nhello\n0\n\n", "bareLf")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello", "equalLengths")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\nX-A: b\r\n\r\nhello", "equalLengths")]
    public async Task Mistake_OfAnAnswer_IsTakenWhereTheServiceMayMakeIt(string answer, string mistake)
    {
        Assert.SkipUnless(HasLoops, "Answers are read by .NET's client.");
        using var service = new RawServer((socket, _) => socket.SendAsync(Encoding.ASCII.GetBytes(answer)));
        await using var gateway = await InProcessGateway.StartAsync(
            $$"""
            services:
              strict: "{{service.Address}}"
              lenient: { instances: ["{{service.Address}}"], lenient: [{{mistake}}] }
              other: { instances: ["{{service.Address}}"], lenient: [{{(mistake == "bareLf" ? "equalLengths" : "bareLf")}}] }
            routes:
              strict: { match: /strict, forward: strict }
              lenient: { match: /lenient, forward: lenient }
              other: { match: /other, forward: other }
            """
        );
        foreach (var (path, status) in new[] { ("/strict", 502), ("/other", 502), ("/lenient", 200) })
        {
            using var client = await gateway.ConnectAsync();
            var response = await client.GetAsync(path);
            Assert.Equal(status, response.Status);
            if (status == 502)
                continue;
            Assert.Equal(("hello", "b", true), (response.Body, response["X-A"], response.IsWhole));
            Assert.True(response.Head.Count(h => h.StartsWith("Content-Length", StringComparison.OrdinalIgnoreCase)) <= 1);
        }
    }

    [Fact]
    public async Task Leniency_WhereDotNetReadsTheAnswers_IsRefused()
    {
        Assert.SkipWhen(HasLoops, "Answers are read by the gateway.");
        var refusal = await Assert.ThrowsAsync<Config.ConfigException>(() =>
            InProcessGateway.StartAsync("services: { s: { instances: [\"http://127.0.0.1:1\"], lenient: [bareLf] } }")
        );
        Assert.Contains(
            "are not read on the gateway's event loops",
            Assert.Single(refusal.Report.Problems).Message,
            StringComparison.Ordinal
        );
    }

    private static bool HasLoops => OperatingSystem.IsLinux() && Environment.GetEnvironmentVariable("LINTEL_TRANSPORT") != "sockets";
}
