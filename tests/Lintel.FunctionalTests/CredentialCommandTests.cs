using System.Security.Cryptography;
using System.Text;
using Lintel.FunctionalTests.Protocols;
using Lintel.Identities;

namespace Lintel.FunctionalTests;

/// <summary>The commands that make keys and hashes.</summary>
[AnyTransport]
public sealed class CredentialCommandTests
{
    [Fact]
    public async Task KeyNew_PrintsAKey_AndTheConfigurationWithItsHash_WhichIsValid()
    {
        var (code, output, errors) = await LocalProgram.RunAsync("key", "new", "acme", "--expires", "2099-01-31");
        Assert.Equal((0, ""), (code, errors));
        var lines = output.Split('\n');
        Assert.Matches("^lk_[A-Za-z0-9_-]{43}$", lines[0]);
        var yaml = string.Join('\n', lines[4..]);
        Assert.StartsWith("clients:\n  acme:\n    apiKeys:\n      - { hash: \"sha256:", yaml, StringComparison.Ordinal);
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(lines[0])));
        Assert.Contains(hash, yaml, StringComparison.Ordinal);

        await using var gateway = await LocalProgram.StartAsync(
            yaml + "routes: { r: { match: /r, respond: { body: in }, policies: [{ apiKey: {} }] } }"
        );
        gateway.Client.DefaultRequestHeaders.Add("X-Api-Key", lines[0]);
        Assert.Equal("in", await gateway.Client.GetStringAsync(new Uri("/r", UriKind.Relative)));
        Assert.NotEqual(lines[0], (await LocalProgram.RunAsync("key", "new", "acme")).Output.Split('\n')[0]);
    }

    [Theory]
    [InlineData("CLIENT: ", "a b")]
    [InlineData("--expires: ", "acme", "--expires", "tomorrow")]
    public async Task KeyNew_WithAnInvalidArgument_SaysWhatIsExpected(string start, params string[] arguments)
    {
        var (code, output, errors) = await LocalProgram.RunAsync(["key", "new", .. arguments]);
        Assert.Equal((1, ""), (code, output));
        Assert.StartsWith(start, errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PasswordHash_OfStandardInput_IsThePasswords()
    {
        var program = GatewayProcess.Program;
        var start = program.EndsWith(".dll", StringComparison.Ordinal) ? "dotnet " + program : program;
        var (output, code) = await RunAsync("printf 'w\\303\\266rd\\n'");
        Assert.Equal(0, code);
        Assert.StartsWith("pbkdf2-sha256:600000:", output, StringComparison.Ordinal);
        Assert.True(PasswordHash.TryParse(output.Trim(), out var hash));
        Assert.True(hash.Matches("wörd"u8));
        Assert.Equal(1, (await RunAsync("printf ''")).Code);

        async Task<(string Output, int Code)> RunAsync(string input)
        {
            var result = await Command.RunAsync("sh", "-c", $"{input} | {start} password hash; echo $?");
            var lines = result.Output.Trim().Split('\n');
            return (lines[0], int.Parse(lines[^1], System.Globalization.CultureInfo.InvariantCulture));
        }
    }
}
