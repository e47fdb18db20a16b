using System.Buffers.Text;
using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Cli.Commands;

/// <summary><c>lintel key new CLIENT</c></summary>
internal static class KeyCommand
{
    /// <summary>Marks keys of Lintel for scanners that look for secrets in repositories.</summary>
    private const string Prefix = "lk_";

    /// <summary>256 bits: 43 characters.</summary>
    private const int Size = 32;

    public static Command Create()
    {
        var client = new Argument<string>("CLIENT") { Description = "The client that the key is for, as in `clients`." };
        var expires = new Option<string>("--expires")
        {
            Description = "The time from which the key is refused: 2027-01-31, or 2027-01-31T18:00:00Z. Default: it does not expire.",
            HelpName = "DATE",
        };
        var create = new Command("new", "Creates an API key, prints it once, and the lines of configuration with its hash.")
        {
            client,
            expires,
        };
        create.SetAction(parse => Run(parse.GetValue(client)!, parse.GetValue(expires), parse.InvocationConfiguration));
        return new Command("key", "Creates API keys.") { create };
    }

    private static int Run(string client, string? expires, InvocationConfiguration streams)
    {
        if (Problem(Scalars.Name, client) is { } name)
            return Refuse("CLIENT", name, streams);
        if (expires is not null && Problem(Scalars.Time, expires) is { } time)
            return Refuse("--expires", time, streams);
        var key = Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(Size));
        var hash = "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(key)));
        var entry = expires is null ? $"\"{hash}\"" : $"{{ hash: \"{hash}\", expires: \"{expires}\" }}";
        streams.Output.Write(
            string.Create(
                CultureInfo.InvariantCulture,
                $"""
                {key}

                The key is shown once: give it to {client}. The configuration has its hash only:

                clients:
                  {client}:
                    apiKeys:
                      - {entry}

                """
            )
        );
        return ExitCode.Ok;
    }

    private static string? Problem<T>(Grammar<T> grammar, string text)
    {
        var report = new ConfigReport();
        grammar.TryRead(new ScalarNode(default, text, isQuoted: true), KeyPath.Root, report, out _);
        return report.Problems is [{ } problem, ..] ? problem.Message + (problem.Hint is { } hint ? "; " + hint : "") : null;
    }

    private static int Refuse(string argument, string problem, InvocationConfiguration streams)
    {
        streams.Error.WriteLine($"{argument}: {problem}");
        return ExitCode.Invalid;
    }
}
