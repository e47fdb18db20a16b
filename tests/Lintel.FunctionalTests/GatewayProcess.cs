using System.Collections.Concurrent;
using System.Diagnostics;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>The real executable in a process of its own, ended by its process id.</summary>
internal sealed partial class GatewayProcess : RunningProgram
{
    public static readonly TimeSpan Patience = Until.Patience;

    /// <summary>
    /// The configuration that the tests were built in, as folders of outputs are named: the programs that they start are of the same.
    /// </summary>
    public static string Configuration => new DirectoryInfo(AppContext.BaseDirectory).Name;

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _errors = new();
    private readonly ConcurrentQueue<string> _lines = new();

    private GatewayProcess(Process process, string folder, bool readsOutput)
        : base(folder)
    {
        _process = process;
        _process.ErrorDataReceived += (_, e) => Keep(_errors, e.Data);
        _process.OutputDataReceived += (_, e) => Keep(_lines, e.Data);
        _process.BeginErrorReadLine();
        if (readsOutput)
            _process.BeginOutputReadLine();

        static void Keep(ConcurrentQueue<string> lines, string? line)
        {
            if (line is not null)
                lines.Enqueue(line);
        }
    }

    public int Id => _process.Id;

    public override string Errors => string.Join('\n', _errors);

    protected override bool HasEnded => _process.HasExited;

    public override IEnumerable<string> AccessLog => _lines;

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

    /// <summary>Starts a gateway. If the configuration has no listeners and no admin address, they get free ports.</summary>
    public static async Task<GatewayProcess> StartAsync(
        string yaml,
        IReadOnlyDictionary<string, string>? files = null,
        ProcessSettings? settings = null
    ) => await StartAsync(await CreateFolderAsync(WithPorts(yaml), files), settings ?? new ProcessSettings(), ownsFolder: true);

    /// <summary>Starts a gateway on <c>gateway.yaml</c> in a folder of the test's.</summary>
    public static Task<GatewayProcess> StartInAsync(string folder, ProcessSettings? settings = null) =>
        StartAsync(folder, settings ?? new ProcessSettings(), ownsFolder: false);

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

    public override void Signal(int signal) => Signal(_process.Id, signal);

    public static void Signal(int process, int signal) => Assert.Equal(0, Kill(process, signal));

    public override async Task<int> ExitCodeAsync()
    {
        using var deadline = new CancellationTokenSource(Patience);
        await _process.WaitForExitAsync(deadline.Token);
        return _process.ExitCode;
    }

    /// <summary>Nobody reads its standard output any more.</summary>
    public void CloseOutput() => _process.StandardOutput.Close();

    public long PeakMemoryKiB() =>
        long.Parse(
            File.ReadLines($"/proc/{_process.Id}/status")
                .First(l => l.StartsWith("VmHWM", StringComparison.Ordinal))
                .Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1],
            System.Globalization.CultureInfo.InvariantCulture
        );

    protected override async Task EndAsync()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static async Task<GatewayProcess> StartAsync(string folder, ProcessSettings settings, bool ownsFolder)
    {
        var process = Start(["run", Path.Combine(folder, "gateway.yaml"), .. settings.Arguments], settings);
        var gateway = new GatewayProcess(process, folder, settings.ReadsOutput) { OwnsFolder = ownsFolder };
        await gateway.ConnectAsync();
        return gateway;
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

    [System.Runtime.InteropServices.LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}

/// <summary>What a process of the gateway is started with beside its configuration.</summary>
internal sealed record ProcessSettings
{
    public string[] Arguments { get; init; } = [];

    public Dictionary<string, string> Environment { get; init; } = [];

    /// <summary>Whether its standard output is read.</summary>
    public bool ReadsOutput { get; init; } = true;

    /// <summary>The program, if not the one that the build made.</summary>
    public string? Program { get; init; }

    /// <summary>A command that runs the gateway.</summary>
    public string[] Wrapper { get; init; } = [];
}
