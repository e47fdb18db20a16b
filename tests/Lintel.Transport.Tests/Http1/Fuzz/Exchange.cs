using Lintel.Transport.Http1;

namespace Lintel.Transport.Tests.Http1.Fuzz;

/// <summary>A request and its answer, as the gateway does it.</summary>
internal static class Exchange
{
    /// <param name="connection">Stays the caller's, who has to release it.</param>
    /// <param name="isHead">Whether the request is HEAD.</param>
    /// <param name="buffer">As much of the body as is read at a time.</param>
    public static async Task<Reading> RunAsync(Http1Connection connection, bool isHead, Memory<byte> buffer)
    {
        var body = new MemoryStream();
        var interim = 0;
        string? refusal = null;
        try
        {
            connection.Begin(isHead ? "HEAD" : "GET", "", "/");
            connection.EndHead();
            await connection.FlushAsync();
            await ReadHeadAsync(connection);
            for (; connection.Head.Status is < 200 and not 101; interim++)
                await ReadHeadAsync(connection);
            if (connection.Head.Status == 101 && !isHead)
                await connection.OpenTunnel().CopyToAsync(body);
            else
                await ReadBodyAsync(connection, buffer, body);
        }
        catch (Http1Exception e)
        {
            refusal = e.Failure == Http1Failure.Malformed ? e.Message : e.Failure.ToString();
        }

        var head = connection.Head;
        return new Reading
        {
            Refusal = refusal,
            Status = head.Status,
            Interim = interim,
            Fields = [.. Enumerable.Range(0, head.Count).Select(i => (head[i].Name, head[i].Value))],
            Body = body.ToArray(),
            Trailers = [.. connection.Trailers.Select(t => (t.Name, t.Value))],
        };
    }

    private static async Task ReadHeadAsync(Http1Connection connection)
    {
        while (!connection.TryReadHead())
            await connection.WaitAsync();
    }

    private static async Task ReadBodyAsync(Http1Connection connection, Memory<byte> buffer, MemoryStream body)
    {
        while (connection.TryReadBody(buffer.Span) is not 0 and var count)
        {
            if (count > 0)
                body.Write(buffer.Span[..count]);
            else
                await connection.WaitAsync();
        }
    }
}
