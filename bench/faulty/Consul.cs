using System.Globalization;
using Lintel.TestKit;

namespace Lintel.Bench.Faulty;

/// <summary>The tests' Consul, whose instances a script sets: <c>set HOST:PORT…</c>.</summary>
internal static class Consul
{
    /// <param name="file">Gets the address, when it is there.</param>
    /// <param name="control">The control port.</param>
    public static async Task<int> RunAsync(string file, int control)
    {
        await using var consul = await ConsulServer.StartAsync();
        await File.WriteAllTextAsync(file, consul.Address + "\n");
        await ControlPort.RunAsync(
            control,
            words =>
            {
                if (words is not ["set", .. var instances])
                    throw new FormatException("set HOST:PORT…");
                consul.Set([.. instances.Select(Parse)]);
                return "ok";
            },
            CancellationToken.None
        );
        return 0;
    }

    private static (string, int) Parse(string text) =>
        text.Split(':') is [var host, var port]
            ? (host, int.Parse(port, NumberStyles.None, CultureInfo.InvariantCulture))
            : throw new FormatException($"`{text}` is not HOST:PORT");
}
