using System.Diagnostics;
using System.Globalization;
using System.Net;
using Lintel.Bench.Fairness;

// Fairness PORT KIND SECONDS: abuses the server on that port of 127.0.0.1, then reports what it did. One thread; each client has its
// turn once an interval, and the turns are spread over it evenly.
if (
    args is not [var port, var kind, var seconds]
    || !int.TryParse(port, CultureInfo.InvariantCulture, out var number)
    || !int.TryParse(seconds, CultureInfo.InvariantCulture, out var duration)
)
{
    Console.Error.WriteLine("usage: Fairness PORT slow-readers|slow-writers|one-byte|resets|all SECONDS");
    return 2;
}

var server = new IPEndPoint(IPAddress.Loopback, number);
Group[] groups =
[
    new("slow-readers", 200, TimeSpan.FromMilliseconds(100), () => new SlowReader(server)),
    new("slow-writers", 400, TimeSpan.FromMilliseconds(100), () => new SlowWriter(server)),
    new("one-byte", 80, TimeSpan.FromMilliseconds(10), () => new ByteByByte(server)),
    new("resets", 20, TimeSpan.FromMilliseconds(10), () => new Resetter(server)),
];
var chosen = groups.Where(g => kind == "all" || g.Name == kind).ToList();
if (chosen.Count == 0)
{
    Console.Error.WriteLine($"no such kind: {kind}");
    return 2;
}

for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(duration); Thread.Sleep(1))
    chosen.ForEach(g => g.Advance(clock.Elapsed));
chosen.ForEach(g => g.Dispose());
Console.WriteLine(string.Join("; ", chosen.Select(g => g.Report())));
return chosen.All(g => g.HasAbused) ? 0 : 1;
