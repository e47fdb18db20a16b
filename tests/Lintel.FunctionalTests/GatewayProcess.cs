using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>The real executable on a configuration of the test's, on free ports. Ended by its process id.</summary>
internal sealed partial class GatewayProcess : IAsyncDisposable
{
    public static readonly TimeSpan Patience = Until.Patience;

    /// <summary>
    /// The configuration that the tests were built in, as folders of outputs are named: the programs that they start are of the same.
    /// </summary>
    public static string Configuration => new DirectoryInfo(AppContext.BaseDirectory).Name;

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly ConcurrentQueue<string> _lines = new();

    /// <summary>Where the search for a port has come to: other processes of tests begin elsewhere.</summary>
    private static int _ports = Environment.ProcessId * 97;

    private bool _ownsFolder;

    private GatewayProcess(Process process, string folder)
    {
        _process = process;
        Folder = folder;
    }

    public string Folder { get; }

    public string ConfigFile => Path.Combine(Folder, "gateway.yaml");

    public Uri Address { get; private set; } = null!;

    public Uri Admin { get; private set; } = null!;

    public HttpClient Client { get; private set; } = null!;

    /// <summary>Where a listener of this name is bound.</summary>
    public Uri AddressOf(string listener) => new(Regex.Match(Errors, $@"^  {listener} +(\S+)", RegexOptions.Multiline).Groups[1].Value);

    public int Id => _process.Id;

    public string Errors => string.Join('\n', _errors);

    public IEnumerable<string> AccessLog => _lines;

    /// <summary>The folder of the repository.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>
    /// The gateway's program: what the environment's <c>LINTEL_PROGRAM</c> names (<c>test.sh</c> publishes it as the image has it, compiled
    /// beforehand, for half of a start's processor time), or what the build made.
    /// </summary>
    public static string Program { get; } =
        Environment.GetEnvironmentVariable("LINTEL_PROGRAM") is { Length: > 0 } program
            ? program
            : Path.Combine(Repository, "artifacts/bin/Lintel.Cli", Configuration, "Lintel.Cli.dll");

    /// <summary>Starts a gateway. The configuration may leave out listeners and admin: they get free ports.</summary>
    public static async Task<GatewayProcess> StartAsync(
        string yaml,
        IReadOnlyDictionary<string, string>? files = null,
        ProcessSettings? settings = null
    )
    {
        var folder = Directory.CreateTempSubdirectory("lintel-test-").FullName;
        foreach (var (name, text) in files ?? new Dictionary<string, string>())
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, name))!);
            await File.WriteAllTextAsync(Path.Combine(folder, name), text);
        }

        var file = Path.Combine(folder, "gateway.yaml");
        await File.WriteAllTextAsync(file, WithPorts(yaml));
        var gateway = await StartInAsync(folder, settings);
        gateway._ownsFolder = true;
        return gateway;
    }

    /// <summary>Starts a gateway on <c>gateway.yaml</c> in a folder of the test's.</summary>
    public static async Task<GatewayProcess> StartInAsync(string folder, ProcessSettings? settings = null)
    {
        settings ??= new ProcessSettings();
        var gateway = new GatewayProcess(Start(["run", Path.Combine(folder, "gateway.yaml"), .. settings.Arguments], settings), folder);
        try
        {
            await gateway.ConnectAsync();
        }
        catch
        {
            await gateway.DisposeAsync(); // nobody else knows of it
            throw;
        }

        return gateway;
    }

    public static string WithPorts(string yaml) =>
        (yaml.Contains("listeners:", StringComparison.Ordinal) ? "" : "listeners: { public: \"http://127.0.0.1:0\" }\n")
        + (yaml.Contains("admin:", StringComparison.Ordinal) ? "" : "admin: { address: \"http://127.0.0.1:0\" }\n")
        + yaml;

    /// <summary>Runs a command to its end.</summary>
    public static Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments) =>
        RunAsync(new ProcessSettings(), arguments);

    public static async Task<(int Code, string Output, string Errors)> RunAsync(ProcessSettings settings, params string[] arguments)
    {
        using var process = Start(arguments, settings);
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        using var deadline = new CancellationTokenSource(Patience);
        await process.WaitForExitAsync(deadline.Token);
        return (process.ExitCode, await output, await errors);
    }

    /// <summary>Starts a gateway, sends it signals as soon as it takes any, and waits for its end.</summary>
    public static async Task<(int Code, string Errors)> SignalAtOnceAsync(string file, params int[] signals)
    {
        using var process = Start(["run", file]);
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        await Until.TrueAsync(() => process.HasExited || TakesHangup(process.Id));
        foreach (var signal in signals)
            Signal(process.Id, signal);
        using var deadline = new CancellationTokenSource(Patience);
        await process.WaitForExitAsync(deadline.Token);
        await output;
        return (process.ExitCode, await errors);
    }

    /// <summary>SIGHUP is the last one that the program asks for; the runtime itself does not take it.</summary>
    private static bool TakesHangup(int process)
    {
        var caught = File.ReadLines($"/proc/{process}/status").First(l => l.StartsWith("SigCgt:", StringComparison.Ordinal));
        return (Convert.ToUInt64(caught["SigCgt:".Length..].Trim(), 16) & 1) != 0;
    }

    /// <summary>
    /// A port that nobody has, for what must know it before it is bound. None of those that the system hands out: between here and there it
    /// would give it to somebody else.
    /// </summary>
    public static int FreePort()
    {
        while (true)
        {
            var port = 20_000 + (int)((uint)Interlocked.Increment(ref _ports) % 10_000);
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(IPAddress.Any, port));
                return port;
            }
            catch (SocketException)
            {
                // Somebody has it; the next one then.
            }
        }
    }

    /// <summary>Writes the configuration and waits until it is applied or refused.</summary>
    public async Task ReloadAsync(string yaml)
    {
        var before = Outcomes();
        await File.WriteAllTextAsync(ConfigFile, WithPorts(yaml));
        await Until.TrueAsync(() => Outcomes() > before);
    }

    public int Outcomes() =>
        _errors.Count(l =>
            l.Contains("Configuration applied", StringComparison.Ordinal) || l.Contains("Configuration refused", StringComparison.Ordinal)
        );

    public void Signal(int signal) => Signal(_process.Id, signal);

    public static void Signal(int process, int signal) => Assert.Equal(0, Kill(process, signal));

    public async Task<int> ExitCodeAsync()
    {
        using var deadline = new CancellationTokenSource(Patience);
        await _process.WaitForExitAsync(deadline.Token);
        return _process.ExitCode;
    }

    public long PeakMemoryKiB() =>
        long.Parse(
            File.ReadLines($"/proc/{_process.Id}/status")
                .First(l => l.StartsWith("VmHWM", StringComparison.Ordinal))
                .Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1],
            System.Globalization.CultureInfo.InvariantCulture
        );

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        if (_ownsFolder)
            Directory.Delete(Folder, recursive: true);
    }

    private static Process Start(IReadOnlyList<string> arguments, ProcessSettings? settings = null)
    {
        settings ??= new ProcessSettings();
        string[] line = [.. settings.Wrapper, "dotnet", settings.Program ?? Program, .. arguments];
        var start = new ProcessStartInfo(line[0]) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var argument in line.Skip(1))
            start.ArgumentList.Add(argument);
        // A process that lives for seconds gains nothing by compiling anew what was compiled beforehand: a quarter of its processor time.
        start.Environment["DOTNET_TieredPGO"] = start.Environment["DOTNET_TC_CallCounting"] = "0";
        foreach (var (name, value) in settings.Environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    private static string FindRepository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Lintel.slnx")))
            folder = folder.Parent;
        return folder.FullName;
    }

    private async Task ConnectAsync()
    {
        Read();
        await Until.TrueAsync(() => _errors.Any(l => l.Contains("/health/ready", StringComparison.Ordinal)) || _process.HasExited);
        var banner = Errors;
        Address = new Uri(Listener().Match(banner).Groups[1].Value);
        Admin = new Uri(AdminLine().Match(banner).Groups[1].Value);
        Client = new HttpClient(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseProxy = false,
                UseCookies = false,
                ConnectCallback = LeavingClient.ConnectAsync,
            }
        )
        {
            BaseAddress = Address,
            Timeout = Patience,
        };
    }

    private void Read()
    {
        _process.ErrorDataReceived += (_, e) => Keep(_errors, e.Data);
        _process.OutputDataReceived += (_, e) => Keep(_lines, e.Data);
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();

        static void Keep(ConcurrentQueue<string> lines, string? line)
        {
            if (line is not null)
                lines.Enqueue(line);
        }
    }

    [System.Runtime.InteropServices.LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);

    [GeneratedRegex(@"^  public +(\S+)", RegexOptions.Multiline)]
    private static partial Regex Listener();

    [GeneratedRegex(@"^  admin +(\S+)", RegexOptions.Multiline)]
    private static partial Regex AdminLine();
}

/// <summary>What a process of the gateway is started with beside its configuration.</summary>
internal sealed record ProcessSettings
{
    public string[] Arguments { get; init; } = [];

    public Dictionary<string, string> Environment { get; init; } = [];

    /// <summary>The program, if not the one that the build made.</summary>
    public string? Program { get; init; }

    /// <summary>A command that runs the gateway.</summary>
    public string[] Wrapper { get; init; } = [];
}
