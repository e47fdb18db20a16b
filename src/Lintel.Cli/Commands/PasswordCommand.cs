using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using Lintel.Identities;

namespace Lintel.Cli.Commands;

/// <summary><c>lintel password hash</c></summary>
internal static class PasswordCommand
{
    public static Command Create()
    {
        var hash = new Command(
            "hash",
            "Reads a password from standard input, at a terminal twice and without showing it, and prints its hash for `basic`."
        );
        hash.SetAction(parse => Run(parse.InvocationConfiguration));
        return new Command("password", "Hashes passwords.") { hash };
    }

    private static int Run(InvocationConfiguration streams)
    {
        var password = Console.IsInputRedirected ? Console.In.ReadLine() : Ask("Password: ", streams.Error);
        if (string.IsNullOrEmpty(password) || password.Any(char.IsControl))
        {
            streams.Error.WriteLine("the password is empty, or has control characters, which HTTP Basic does not allow");
            return ExitCode.Invalid;
        }

        if (!Console.IsInputRedirected && Ask("Again: ", streams.Error) != password)
        {
            streams.Error.WriteLine("the two passwords differ");
            return ExitCode.Invalid;
        }

        var bytes = Encoding.UTF8.GetBytes(password);
        streams.Output.WriteLine(PasswordHash.Create(bytes).ToConfig());
        CryptographicOperations.ZeroMemory(bytes);
        return ExitCode.Ok;
    }

    private static string Ask(string prompt, TextWriter to)
    {
        to.Write(prompt);
        var text = new StringBuilder();
        for (var key = Console.ReadKey(intercept: true); key.Key != ConsoleKey.Enter; key = Console.ReadKey(intercept: true))
        {
            if (key.Key == ConsoleKey.Backspace)
                text.Length = Math.Max(0, text.Length - 1);
            else if (key.KeyChar != '\0')
                text.Append(key.KeyChar);
        }

        to.WriteLine();
        return text.ToString();
    }
}
