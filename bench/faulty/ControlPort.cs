using System.Net;
using System.Net.Sockets;

namespace Lintel.Bench.Faulty;

/// <summary>Lines from a script, each answered by a line: <c>exec 3&lt;&gt;/dev/tcp/127.0.0.1/PORT</c>.</summary>
internal static class ControlPort
{
    /// <param name="port">On the loopback interface.</param>
    /// <param name="answer">What a line does, and the answer to it. <see cref="FormatException"/> is told to the script.</param>
    /// <param name="over">Ends it.</param>
    public static async Task RunAsync(int port, Func<string[], string> answer, CancellationToken over)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();
        while (!over.IsCancellationRequested)
        {
            using var client = await listener.AcceptTcpClientAsync(over);
            using var reader = new StreamReader(client.GetStream());
            await using var writer = new StreamWriter(client.GetStream()) { AutoFlush = true, NewLine = "\n" };
            try
            {
                while (await reader.ReadLineAsync(over) is { } line)
                    await writer.WriteLineAsync(Reply(answer, line.Split(' ', StringSplitOptions.RemoveEmptyEntries)));
            }
            catch (IOException)
            {
                // The script has gone without reading the answer.
            }
        }
    }

    private static string Reply(Func<string[], string> answer, string[] words)
    {
        try
        {
            return answer(words);
        }
        catch (FormatException e)
        {
            return "error " + e.Message;
        }
    }
}
