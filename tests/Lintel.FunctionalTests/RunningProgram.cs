using System.Text.RegularExpressions;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>The program's <c>run</c> command on a configuration of the test's, on free ports: in a process of its own or in the tests'.</summary>
internal abstract partial class RunningProgram(string folder) : IAsyncDisposable
{
    public string Folder => folder;

    public string ConfigFile => Path.Combine(folder, "gateway.yaml");

    public Uri Address { get; private set; } = null!;

    public Uri Admin { get; private set; } = null!;

    public HttpClient Client { get; private set; } = null!;

    /// <summary>What it has written to standard error.</summary>
    public abstract string Errors { get; }

    /// <summary>The lines of its access log, where the configuration leaves that to its default.</summary>
    public abstract IEnumerable<string> AccessLog { get; }

    protected abstract bool HasEnded { get; }

    /// <summary>Whether the folder is deleted with it.</summary>
    protected bool OwnsFolder { get; init; }

    /// <summary>
    /// Adds what the configuration leaves out: listeners and admin, on free ports. And sheds nothing: a test of anything else must not
    /// depend on how busy the machine is.
    /// </summary>
    public static string WithPorts(string yaml) =>
        (yaml.Contains("listeners:", StringComparison.Ordinal) ? "" : "listeners: { public: \"http://127.0.0.1:0\" }\n")
        + (yaml.Contains("admin:", StringComparison.Ordinal) ? "" : "admin: { address: \"http://127.0.0.1:0\" }\n")
        + yaml
        + (yaml.Contains("overload:", StringComparison.Ordinal) ? "" : "\noverload: off");

    /// <summary>Where a listener of this name is bound.</summary>
    public Uri AddressOf(string listener) => new(Regex.Match(Errors, $@"^  {listener} +(\S+)", RegexOptions.Multiline).Groups[1].Value);

    /// <summary>Writes the configuration and waits until it is applied or refused.</summary>
    public async Task ReloadAsync(string yaml)
    {
        var before = Outcomes();
        await File.WriteAllTextAsync(ConfigFile, Complete(yaml));
        await Until.TrueAsync(() => Outcomes() > before);
    }

    public int Outcomes() =>
        Errors
            .Split('\n')
            .Count(l =>
                l.Contains("Configuration applied", StringComparison.Ordinal)
                || l.Contains("Configuration refused", StringComparison.Ordinal)
            );

    public abstract void Signal(int signal);

    public abstract Task<int> ExitCodeAsync();

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        await EndAsync();
        if (OwnsFolder)
            Directory.Delete(Folder, recursive: true);
    }

    /// <summary>The configuration with what it leaves out.</summary>
    protected virtual string Complete(string yaml) => WithPorts(yaml);

    protected abstract Task EndAsync();

    /// <summary>A folder with a configuration and files beside it.</summary>
    protected static async Task<string> CreateFolderAsync(string yaml, IReadOnlyDictionary<string, string>? files)
    {
        var folder = Directory.CreateTempSubdirectory("lintel-test-").FullName;
        foreach (var (name, text) in files ?? new Dictionary<string, string>())
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, name))!);
            await File.WriteAllTextAsync(Path.Combine(folder, name), text);
        }

        await File.WriteAllTextAsync(Path.Combine(folder, "gateway.yaml"), yaml);
        return folder;
    }

    /// <summary>Waits until it has told where it listens.</summary>
    protected async Task ConnectAsync()
    {
        try
        {
            await Until.TrueAsync(() => Errors.Contains("/health/ready", StringComparison.Ordinal) || HasEnded);
            var banner = Errors;
            Address = new Uri(Listener().Match(banner).Groups[1].Value);
            Admin = new Uri(AdminLine().Match(banner).Groups[1].Value);
        }
        catch
        {
            await DisposeAsync(); // nobody else knows of it
            throw;
        }

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
            Timeout = Until.Patience,
        };
    }

    [GeneratedRegex(@"^  public +(\S+)", RegexOptions.Multiline)]
    private static partial Regex Listener();

    [GeneratedRegex(@"^  admin +(\S+)", RegexOptions.Multiline)]
    private static partial Regex AdminLine();
}
