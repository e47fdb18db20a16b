using System.CommandLine;
using System.Text;
using Lintel.Cli;
using Lintel.Cli.Logging;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>
/// The program in the tests' own process: the same commands, with signals and standard streams of the test's, for a tenth of a process's
/// processor time. Not for what is the process's own: real signals and streams, limits, memory, spans, other environments.
/// </summary>
internal sealed class LocalProgram : RunningProgram
{
    private const int SigHup = 1;
    private const int SigTerm = 15;

    private readonly CapturedStream _errors = new();
    private readonly Signals _signals = new();
    private readonly Task<int> _run;
    private bool _isStopped;

    private LocalProgram(string folder, string[] arguments)
        : base(folder)
    {
        _run = RunAsync(_signals, _errors, TextWriter.Null, ["run", ConfigFile, .. arguments]);
    }

    public override string Errors => _errors.Text;

    public override IEnumerable<string> AccessLog =>
        File.Exists(Path.Combine(Folder, "access.log")) ? File.ReadAllLines(Path.Combine(Folder, "access.log")) : [];

    protected override bool HasEnded => _run.IsCompleted;

    /// <summary>Starts a gateway.</summary>
    /// <param name="yaml">The configuration. What it leaves out: free ports, a short drain, an access log in <c>access.log</c>.</param>
    /// <param name="files">Files beside it, by name.</param>
    /// <param name="arguments">Further arguments.</param>
    public static async Task<LocalProgram> StartAsync(
        string yaml,
        IReadOnlyDictionary<string, string>? files = null,
        params string[] arguments
    )
    {
        var gateway = new LocalProgram(await CreateFolderAsync(Quiet(yaml), files), arguments) { OwnsFolder = true };
        await gateway.ConnectAsync();
        return gateway;
    }

    /// <summary>Starts a gateway on <c>gateway.yaml</c> in a folder of the test's.</summary>
    public static async Task<LocalProgram> StartInAsync(string folder, params string[] arguments)
    {
        var gateway = new LocalProgram(folder, arguments);
        await gateway.ConnectAsync();
        return gateway;
    }

    /// <summary>Runs a command to its end.</summary>
    public static async Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        using var output = new StringWriter();
        using var errors = new CapturedStream();
        var code = await RunAsync(new Signals(), errors, output, arguments).InTimeAsync();
        return (code, output.ToString(), errors.Text);
    }

    /// <summary>The configuration with what it leaves out: free ports, a short drain, an access log that is not on standard output.</summary>
    public static string Quiet(string yaml) =>
        WithPorts(yaml)
        + (yaml.Contains("observability:", StringComparison.Ordinal) ? "" : "\nobservability: { accessLog: { to: access.log } }")
        + (yaml.Contains("drainTimeout:", StringComparison.Ordinal) ? "" : "\ndrainTimeout: 1s");

    /// <summary>As if the process got it: SIGTERM once, or SIGHUP.</summary>
    public override void Signal(int signal)
    {
        switch (signal)
        {
            case SigHup:
                _signals.Reload();
                break;
            case SigTerm:
                Assert.False(_isStopped, "the second one ends the process, which is that of the tests");
                Stop();
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(signal), signal, "not one that the program takes");
        }
    }

    public override Task<int> ExitCodeAsync() => _run.InTimeAsync();

    protected override string Complete(string yaml) => Quiet(yaml);

    protected override async Task EndAsync()
    {
        Stop();
        await _run;
    }

    private static async Task<int> RunAsync(Signals signals, CapturedStream errors, TextWriter output, string[] arguments)
    {
        ErrorOutput? opened = null;
        using var error = new StreamWriter(errors, leaveOpen: true) { AutoFlush = true };
        try
        {
            return await CommandLine.RunAsync(
                arguments,
                () => new Surroundings(signals, () => opened = new ErrorOutput(errors)),
                new InvocationConfiguration { Output = output, Error = error }
            );
        }
        finally
        {
            opened?.Close();
        }
    }

    private void Stop()
    {
        if (!_isStopped)
            _signals.Stop();
        _isStopped = true;
    }

    /// <summary>Keeps what is written, and can be read at any time.</summary>
    private sealed class CapturedStream : MemoryStream
    {
        private readonly Lock _lock = new();

        public string Text
        {
            get
            {
                lock (_lock)
                    return Encoding.UTF8.GetString(ToArray());
            }
        }

        public override void Write(ReadOnlySpan<byte> buffer) => Write(buffer.ToArray(), 0, buffer.Length);

        public override void Write(byte[] buffer, int offset, int count)
        {
            lock (_lock)
                base.Write(buffer, offset, count);
        }
    }
}
