using System.Globalization;
using System.Net;
using Lintel.Bench.Clients;

// LoadClients pace PORT PATH RATE SECONDS [CONNECTIONS [WARM_SECONDS]]: a constant rate, latencies from when a request was due.
// LoadClients hold PORT PATH CONNECTIONS: so many keep-alive connections with one request on each, open until standard input ends.
// LoadClients collect PID: a full collection in another .NET process.
return args switch
{
    ["pace", var port, var path, var rate, var seconds, .. var more] => Pace(Server(port), path, Number(rate), Number(seconds), more),
    ["hold", var port, var path, var connections] => Hold(Server(port), path, Number(connections)),
    ["collect", var pid] => Collection.Run(Number(pid)),
    _ => Usage(),
};

static int Pace(IPEndPoint server, string path, int rate, int seconds, string[] more)
{
    var connections = more.Length > 0 ? Number(more[0]) : 64;
    var warm = more.Length > 1 ? Number(more[1]) : 2;
    var latencies = new Latencies(rate, warm, seconds);
    using (var paced = new PacedLoad(server, path, connections))
        paced.Run(rate, warm + seconds, latencies);
    latencies.Print(Console.Out);
    return latencies.Failed == 0 ? 0 : 1;
}

static int Hold(IPEndPoint server, string path, int connections)
{
    using var held = new HeldConnections(server, path);
    held.Open(connections);
    Console.WriteLine($"open {connections}");
    while (Console.ReadLine() is not null)
    {
        // The parent process ends the run by closing the pipe.
    }

    return held.CountEnded() is > 0 and var ended ? Fail($"the server has ended {ended} of them") : 0;
}

static int Usage() =>
    Fail("usage: LoadClients pace PORT PATH RATE SECONDS [CONNECTIONS [WARM_SECONDS]] | hold PORT PATH CONNECTIONS | collect PID");

static int Fail(string message)
{
    Console.Error.WriteLine(message);
    return 2;
}

static IPEndPoint Server(string port) => new(IPAddress.Loopback, Number(port));

static int Number(string text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
