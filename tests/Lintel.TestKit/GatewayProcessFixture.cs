using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace Lintel.TestKit;

/// <summary>The real executable as a process of its own.</summary>
public sealed class GatewayProcessFixture : IAsyncDisposable
{
    private readonly Process _process;

    private GatewayProcessFixture(Process process) => _process = process;

    public static string Dll { get; } = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../Lintel.Cli", Path.GetFileName(AppContext.BaseDirectory.TrimEnd('/')), "Lintel.Cli.dll"));

    /// <summary>The access log.</summary>
    public ConcurrentQueue<string> Out { get; } = new();

    /// <summary>Banner and error log.</summary>
    public ConcurrentQueue<string> Error { get; } = new();

    public int Id => _process.Id;

    public Uri Address => AddressOf("public");

    public Uri Admin => AddressOf("admin");

    /// <summary>Starts <c>lintel run FILE…</c> and waits until it listens.</summary>
    public static async Task<GatewayProcessFixture> StartAsync(params string[] files)
    {
        var gateway = Launch(["run", .. files]);
        await Until.TrueAsync(() => gateway._process.HasExited || gateway.Error.Any(l => l.StartsWith("  admin ", StringComparison.Ordinal)), "the banner");
        if (gateway._process.HasExited)
            throw new InvalidOperationException("ended at once: " + string.Join("\n", gateway.Error));
        return gateway;
    }

    /// <summary>Starts any command.</summary>
    public static GatewayProcessFixture Launch(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Dll);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        var gateway = new GatewayProcessFixture(new Process { StartInfo = start });
        gateway._process.OutputDataReceived += (_, line) => Keep(gateway.Out, line.Data);
        gateway._process.ErrorDataReceived += (_, line) => Keep(gateway.Error, line.Data);
        gateway._process.Start();
        gateway._process.BeginOutputReadLine();
        gateway._process.BeginErrorReadLine();
        return gateway;
    }

    public Uri AddressOf(string listener) =>
        new(Error.First(l => l.StartsWith($"  {listener} ", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);

    /// <summary>Sends a signal by its name, such as <c>TERM</c>.</summary>
    public async Task SignalAsync(string name)
    {
        using var kill = Process.Start("kill", ["-" + name, _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    /// <summary>Waits for the end; all output has been read then.</summary>
    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync().InTimeAsync();
        return _process.ExitCode;
    }

    /// <summary>A size from <c>/proc/PID/status</c> in bytes, such as <c>VmHWM</c>.</summary>
    public long Memory(string field) =>
        long.Parse(File.ReadLines($"/proc/{Id}/status").First(l => l.StartsWith(field + ":", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static void Keep(ConcurrentQueue<string> lines, string? line)
    {
        if (line is not null)
            lines.Enqueue(line);
    }
}
