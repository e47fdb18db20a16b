using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Transport.Loop;

namespace Lintel.Services.Discovery;

/// <summary>A file with a list of instances, read again whenever its content changes.</summary>
internal sealed class FileDiscovery(string service, DiscoverConfig config, DiscoveryParts parts, IReadOnlyList<InstanceConfig> known)
    : InstanceDiscovery(service, config, parts, known)
{
    /// <summary>10 000 instances need about a tenth of it.</summary>
    private const int MaxBytes = 16 * 1024 * 1024;

    private readonly string _path = Path.GetFullPath(config.File!);
    private readonly SemaphoreSlim _changed = new(0);
    private volatile FileWatch? _watch;
    private volatile WatchedFiles _watched = new([Path.GetFullPath(config.File!)], [], null);

    protected override bool IsPushed => true;

    public override void Dispose()
    {
        base.Dispose();
        _watch?.Dispose();
    }

    protected override async Task<DiscoveryAnswer> QueryAsync(CancellationToken cancellation)
    {
        _watch ??= new FileWatch(() => _watched, () => _changed.Release(), Time);
        if (cancellation.IsCancellationRequested)
            _watch.Dispose(); // ended meanwhile
        var instances = await BackgroundThread.RunAsync("lintel-discovery", Read).ConfigureAwait(false);
        return new DiscoveryAnswer(instances, System.Threading.Timeout.InfiniteTimeSpan);
    }

    /// <summary>However the last read ended: another one gives the same until the content changes.</summary>
    protected override async Task WaitAsync(TimeSpan delay, CancellationToken cancellation)
    {
        if (Config.KeepFor is null || delay == System.Threading.Timeout.InfiniteTimeSpan)
            await _changed.WaitAsync(cancellation).ConfigureAwait(false);
        else
            await Task.WhenAny(_changed.WaitAsync(cancellation), Task.Delay(delay, Time, cancellation)).ConfigureAwait(false);
    }

    private IReadOnlyList<InstanceConfig> Read()
    {
        try
        {
            var bytes = ReadBytes();
            var known = new Dictionary<string, UInt128>(StringComparer.Ordinal) { [_path] = ContentFingerprint.OfContent(bytes) };
            _watched = new WatchedFiles([_path], [], ContentFingerprint.OfAll([_path], [], known));
            return Parse(System.Text.Unicode.Utf8.IsValid(bytes) ? bytes : throw new DiscoveryException("the file is not UTF-8 text"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _watched = new WatchedFiles([_path], [], ContentFingerprint.OfAll([_path], []));
            throw new DiscoveryException(
                e is FileNotFoundException or DirectoryNotFoundException
                    ? "the file does not exist"
                    : $"the file cannot be read: {e.Message}",
                e
            );
        }
    }

    private byte[] ReadBytes()
    {
        using var stream = new FileStream(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var content = new MemoryStream();
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = stream.Read(buffer)) > 0)
        {
            if (content.Length + read > MaxBytes)
            {
                _watched = new WatchedFiles([_path], [], ContentFingerprint.OfAll([_path], []));
                throw new DiscoveryException($"the file is larger than {MaxBytes / (1024 * 1024)} MiB");
            }

            content.Write(buffer, 0, read);
        }

        return content.ToArray();
    }

    private ValueList<InstanceConfig> Parse(byte[] bytes)
    {
        var report = new ConfigReport();
        var text = new StreamReader(new MemoryStream(bytes)).ReadToEnd(); // takes a byte order mark off
        var name = Path.GetFileName(_path);
        var node = Path.GetExtension(_path).Equals(".json", StringComparison.OrdinalIgnoreCase)
            ? JsonDocumentReader.Read(name, text, report)
            : YamlDocument.Read(name, text, report);
        ValueList<InstanceConfig> instances = [];
        if (node is null or ScalarNode { IsNull: true } && report.IsValid)
            return []; // empty, as while it is being written
        if (node is not null)
            new ListGrammar<InstanceConfig>(InstanceConfig.Grammar).TryRead(node, KeyPath.Root, report, out instances);
        if (!report.IsValid)
            throw new DiscoveryException(
                report.Count == 1 ? report.Problems[0].ToString() : $"{report.Problems[0]}; and {report.Count - 1} more problems"
            );
        if (instances.FirstOrDefault(i => i.Address.Scheme != Config.Scheme) is { } other)
            throw new DiscoveryException(
                $"the instance {other.Address.GetLeftPart(UriPartial.Authority)} is not at `{Config.Scheme}`, as `discover.scheme` says"
            );
        return instances;
    }
}
