using System.Globalization;
using System.Net;
using Lintel.Bench.Clients;

// LoadClients pace PORT PATH RATE SECONDS [CONNECTIONS [WARM_SECONDS]]: a constant rate, latencies from when a request was due.
// LoadClients mix RATE SECONDS WARM_SECONDS KIND…: the same with several kinds of requests at once, each NAME=SHARE:CONNECTIONS:HOW:PORT:PATH; HOW is
//   get, grpc (a unary call over HTTP/2), or post-BYTES. The shares, in per cent of the rate, need not be 100 together.
// LoadClients hold PORT PATH CONNECTIONS: so many keep-alive connections with one request on each, open until standard input ends.
// LoadClients tokens FOLDER COUNT: so many signed tokens of each of two algorithms, and their key set.
// LoadClients collect PID: a full collection in another .NET process.
return args switch
{
    ["pace", var port, var path, var rate, var seconds, .. var more] => Pace(Server(port), path, Number(rate), Number(seconds), more),
    ["mix", var rate, var seconds, var warm, .. var kinds] when kinds.Length > 0 => Mix(Number(rate), Number(seconds), Number(warm), kinds),
    ["hold", var port, var path, var connections] => Hold(Server(port), path, Number(connections)),
    ["tokens", var folder, var count] => Tokens.Write(folder, Number(count)),
    ["collect", var pid] => Collection.Run(Number(pid)),
    _ => Usage(),
};

static int Pace(IPEndPoint server, string path, int rate, int seconds, string[] more)
{
    var connections = more.Length > 0 ? Number(more[0]) : 64;
    var warm = more.Length > 1 ? Number(more[1]) : 2;
    var outcomes = new Outcomes(rate, warm, seconds);
    var request = Http1Client.Get(path);
    using (var paced = new PacedLoad(new LoadKind("", rate, connections, () => new Http1Client(server, request), outcomes)))
        paced.Run(warm + seconds);
    outcomes.Print(Console.Out);
    return outcomes is { Failed: 0, Shed: 0 } ? 0 : 1;
}

static int Mix(int rate, int seconds, int warm, string[] texts)
{
    LoadKind[] kinds = [.. texts.Select(t => Kind(t, rate, warm, seconds))];
    using (var paced = new PacedLoad(kinds))
        paced.Run(warm + seconds);
    foreach (var kind in kinds)
        kind.Outcomes.Print(Console.Out, kind.Name);
    return 0;
}

static LoadKind Kind(string text, int rate, int warm, int seconds)
{
    if (
        text.Split('=', 2) is not [var name, var rest]
        || rest.Split(':', 5) is not [var share, var connections, var how, var port, var path]
    )
        throw new ArgumentException($"`{text}` is not NAME=SHARE:CONNECTIONS:HOW:PORT:PATH");
    var server = Server(port);
    var request = how.StartsWith("post-", StringComparison.Ordinal) ? Http1Client.Post(path, Number(how[5..])) : Http1Client.Get(path);
    Func<Client> connect = how == "grpc" ? () => new GrpcClient(server, path) : () => new Http1Client(server, request);
    var part = Math.Max(1, rate * Number(share) / 100);
    return new LoadKind(name, part, Number(connections), connect, new Outcomes(part, warm, seconds));
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
    Fail(
        "usage: LoadClients pace PORT PATH RATE SECONDS [CONNECTIONS [WARM_SECONDS]] | mix RATE SECONDS WARM_SECONDS KIND… | hold PORT PATH CONNECTIONS | tokens FOLDER COUNT | collect PID"
    );

static int Fail(string message)
{
    Console.Error.WriteLine(message);
    return 2;
}

static IPEndPoint Server(string port) => new(IPAddress.Loopback, Number(port));

static int Number(string text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
