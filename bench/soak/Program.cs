using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using Lintel.Soak;
using Lintel.TestKit;
using Microsoft.AspNetCore.Http;

var program = args[0];
var duration = TimeSpan.FromMinutes(double.Parse(args[1], System.Globalization.CultureInfo.InvariantCulture));

// A scrape's connection, a file that is being read.
const int DescriptorMargin = 4;
using var folder = new ConfigFolder();
var megabyte = System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(new { text = new string('m', 1024 * 1024) });
await using var service = await TestService.StartAsync(ServeAsync);
using var restless = new RestlessService();
var hard = HardClients.Configuration(restless.Address, service.Address);

// One gateway on free ports, its access log in a file.
var ports = FreePorts(4);
Certificate();
var yaml = $$"""
    listeners:
      public: http://127.0.0.1:{{ports[0]}}
      h2c: { address: "http://127.0.0.1:{{ports[1]}}", protocols: [http2] }
      secure: { address: "https://127.0.0.1:{{ports[2]}}", certificates: [{ path: tls.pem, keyPath: tls.key }] }
    admin: { address: "http://127.0.0.1:{{ports[3]}}" }
    observability: { accessLog: { to: "{{folder["access.log"]}}" } }
    services:
      s: { instances: ["{{service.Address}}"], timeouts: { request: 1s } }
      gone: http://127.0.0.1:1
    {{hard.Services}}
    routes:
      s: { match: "/s/{**rest}", forward: s }
      refused: { match: /refused, forward: gone }
      uncertain: { match: "{{Ledger.Uncertain}}{**rest}", forward: "s/s/{rest}" }
    {{hard.Routes}}
    """;
var config = folder.Write("gateway.yaml", yaml);
var start = new ProcessStartInfo("sh") { RedirectStandardError = true };
foreach (
    var argument in (string[])
        ["-c", "[ -z \"$SOAK_CGROUP\" ] || echo $$ >\"$SOAK_CGROUP/cgroup.procs\"; exec dotnet \"$@\"", "sh", program, "run", config]
)
    start.ArgumentList.Add(argument);
using var gateway = Process.Start(start)!;
var banner = new TaskCompletionSource();
gateway.ErrorDataReceived += (_, e) =>
{
    if (e.Data?.Contains("/health/ready", StringComparison.Ordinal) is true)
        banner.TrySetResult();
    if (Environment.GetEnvironmentVariable("SOAK_VERBOSE") is not null)
        Console.Error.WriteLine(e.Data);
};
gateway.BeginErrorReadLine();
await banner.Task.InTimeAsync();

var descriptorsBefore = Descriptors();
var kindsBefore = string.Join(", ", DescriptorKinds());
var ledger = new Ledger();
using var stop = new CancellationTokenSource(duration);
var clients = new Clients(Local("http", ports[0]), Local("http", ports[1]), Local("https", ports[2]), ledger, stop.Token);
using var plainHttp = Clients.Create(Local("http", ports[0]), new Version(1, 1));
var running = Task.WhenAll(
    clients.RunAsync(),
    new HardClients(Local("http", ports[0]), plainHttp, ledger, once => clients.Loop(once)).RunAsync()
);
var reloads = ReloadAsync();
var memory = await WatchAsync();
await running;
await reloads;

using var admin = new HttpClient { BaseAddress = Local("http", ports[3]) };
string metrics;
do
{
    metrics = await admin.GetStringAsync("/metrics"); // the last clients have gone; the gateway may still be ending what they left
    await Task.Delay(200);
} while (Regex.IsMatch(metrics, @"^http_server_active_requests(\{[^}]*\})? [1-9]", RegexOptions.Multiline));
metrics = await admin.GetStringAsync("/metrics");
clients.Dispose();
plainHttp.Dispose();

// Idle connections to the service are kept for 60 s. A connection that is open after that has leaked.
var descriptors = Descriptors();
for (
    var patience = Stopwatch.StartNew();
    descriptors > descriptorsBefore + DescriptorMargin && patience.Elapsed < TimeSpan.FromSeconds(90);
    descriptors = Descriptors()
)
    await Task.Delay(500);
var restedMemory = await RestedAsync();
var kindsAfter = string.Join(", ", DescriptorKinds());
Process.Start("kill", ["-TERM", gateway.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]).WaitForExit();
await gateway.WaitForExitAsync();
if (Environment.GetEnvironmentVariable("SOAK_LOG") is { } copy)
    File.Copy(folder["access.log"], copy, overwrite: true);
return Report();

// A truncated head is malformed if the gateway had read a part of it, and not counted if the reset came first.
bool Agree(string key, long[] counts) =>
    counts[1] == counts[2]
    && (
        key switch
        {
            "400 bad-framing" => counts[1] >= counts[0] && counts[1] <= counts[0] + clients.CutHeads,
            _ => counts[0] == counts[1] || key.StartsWith(Ledger.UncertainMark, StringComparison.Ordinal),
        }
    );

// By what they are: sockets, pipes, files.
IEnumerable<string> DescriptorKinds() =>
    Directory
        .GetFiles($"/proc/{gateway.Id}/fd")
        .Select(f => Regex.Replace(new FileInfo(f).LinkTarget ?? "gone", @"\d+", "#"))
        .CountBy(k => k)
        .OrderByDescending(k => k.Value)
        .Take(8)
        .Select(k => $"{k.Value} {k.Key}");

// Assemblies are mapped as they are needed, and stay: what else is open.
int Descriptors() =>
    Directory
        .GetFiles($"/proc/{gateway.Id}/fd")
        .Count(f => new FileInfo(f).LinkTarget?.EndsWith(".dll", StringComparison.Ordinal) is false);

int Report()
{
    var log = Ledger.OfAccessLog(folder["access.log"]);
    var counted = Ledger.OfMetrics(metrics);
    var differs = false;
    Console.WriteLine(
        $"{ledger.Total} requests in {duration.TotalMinutes} min, {Reloads("applied")} reloads applied and {Reloads("refused")} "
            + $"refused, exit code {gateway.ExitCode}\n"
    );
    Console.WriteLine("| status, error | clients | access log | metrics |\n| --- | ---: | ---: | ---: |");
    foreach (var key in ledger.Counts.Keys.Union(log.Counts.Keys).Union(counted.Counts.Keys).Order(StringComparer.Ordinal))
    {
        long[] counts = [.. new[] { ledger, log, counted }.Select(l => l.Counts.GetValueOrDefault(key))];
        differs |= !Agree(key, counts);
        Console.WriteLine($"| {key} | {counts[0]} | {counts[1]} | {counts[2]} |");
    }

    // The first third warms up: code is compiled, pools fill. Then the first half's median against the second's.
    var steady = memory[(memory.Count / 3)..];
    var (early, late) = (Median(steady[..(steady.Count / 2)]), Median(steady[(steady.Count / 2)..]));
    var grows = late > early * 1.15;
    Console.WriteLine(
        $"\nresident memory: {early / 1024} MiB in the first half after warming up, {late / 1024} MiB in the second, "
            + $"{memory.Max() / 1024} MiB at the most, {restedMemory / 1024} MiB a minute after the last client; descriptors: "
            + $"{descriptorsBefore} before the first client, {descriptors} after the last"
    );
    if (descriptors > descriptorsBefore + DescriptorMargin)
        Console.WriteLine($"descriptors before: {kindsBefore}\ndescriptors after: {kindsAfter}");
    foreach (var surprise in clients.Surprises.GroupBy(s => s).OrderByDescending(g => g.Count()).Take(10))
        Console.WriteLine($"surprise × {surprise.Count()}: {surprise.Key}");
    var isGood =
        !differs && !grows && descriptors <= descriptorsBefore + DescriptorMargin && clients.Surprises.IsEmpty && gateway.ExitCode == 0;
    Console.WriteLine(isGood ? "\nThe books agree, memory is flat, nothing surprised a client." : "\nFAILED");
    return isGood ? 0 : 1;
}

string Reloads(string result) =>
    Regex
        .Match(metrics, $"^lintel_config_reloads_total\\{{[^}}]*result=\"{result}\"[^}}]*\\}} (\\d+)", RegexOptions.Multiline)
        .Groups[1]
        .Value;

static long Median(List<long> values) => values.Order().ElementAt(values.Count / 2);

// In KiB.
long ResidentMemory()
{
    var line = File.ReadLines($"/proc/{gateway.Id}/status").First(l => l.StartsWith("VmRSS", StringComparison.Ordinal));
    return long.Parse(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture);
}

async Task<List<long>> WatchAsync()
{
    var samples = new List<long>();
    var next = duration / 60;
    while (!stop.IsCancellationRequested)
    {
        samples.Add(ResidentMemory());
        await Task.Delay(next);
    }

    return samples;
}

// Resident memory after the peak: memory is returned within a minute.
async Task<long> RestedAsync()
{
    var least = ResidentMemory();
    for (var patience = Stopwatch.StartNew(); patience.Elapsed < TimeSpan.FromSeconds(60); least = Math.Min(least, ResidentMemory()))
        await Task.Delay(1000);
    return least;
}

async Task ReloadAsync()
{
    for (var round = 0; !stop.IsCancellationRequested; round++)
    {
        await Task.Delay(TimeSpan.FromSeconds(3));
        folder.Write(
            "gateway.yaml",
            yaml + (round % 3 == 2 ? "\nbroken" : $"\n  extra{round % 3}: {{ match: /extra, respond: {{ body: \"{round}\" }} }}\n")
        );
    }
}

async Task ServeAsync(HttpContext context)
{
    switch (context.Request.Path.Value)
    {
        case "/s/echo":
            await context.Request.Body.CopyToAsync(context.Response.Body, context.RequestAborted);
            break;
        case "/s/megabyte":
            context.Response.ContentType = "application/json";
            await context.Response.Body.WriteAsync(megabyte);
            break;
        case "/s/500":
            context.Response.StatusCode = 500;
            break;
        case "/s/reset":
            context.Abort();
            break;
        case "/s/slow":
            await Task.Delay(TimeSpan.FromSeconds(10), context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            break;
        case "/s/cut":
            context.Response.ContentLength = 1000;
            await context.Response.WriteAsync("half");
            await context.Response.Body.FlushAsync();
            await Task.Delay(20);
            context.Abort();
            break;
        case "/s/events":
            while (!context.RequestAborted.IsCancellationRequested)
            {
                await context.Response.WriteAsync("data: 12345678\n\n");
                await context.Response.Body.FlushAsync();
                await Task.Delay(20);
            }

            break;
        case "/s/ws":
            using (var socket = await context.WebSockets.AcceptWebSocketAsync())
            {
                var buffer = new byte[32 * 1024];
                for (
                    var part = await socket.ReceiveAsync(buffer, default);
                    part.MessageType != System.Net.WebSockets.WebSocketMessageType.Close;
                    part = await socket.ReceiveAsync(buffer, default)
                )
                    await socket.SendAsync(buffer.AsMemory(0, part.Count), part.MessageType, part.EndOfMessage, default);
                await socket.CloseAsync(System.Net.WebSockets.WebSocketCloseStatus.NormalClosure, null, default);
            }

            break;
        default:
            await context.Response.WriteAsync("ok");
            break;
    }
}

static Uri Local(string scheme, int port) => new($"{scheme}://127.0.0.1:{port}");

static int[] FreePorts(int count)
{
    var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
    listeners.ForEach(l => l.Start());
    var ports = listeners.Select(l => ((IPEndPoint)l.LocalEndpoint).Port).ToArray();
    listeners.ForEach(l => l.Stop());
    return ports;
}

void Certificate()
{
    using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    using var certificate = new CertificateRequest("CN=soak", key, HashAlgorithmName.SHA256).CreateSelfSigned(
        DateTimeOffset.UnixEpoch.AddYears(50),
        DateTimeOffset.UnixEpoch.AddYears(80)
    );
    folder.Write("tls.pem", certificate.ExportCertificatePem());
    folder.Write("tls.key", key.ExportPkcs8PrivateKeyPem());
}
