using System.Collections.ObjectModel;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Policies;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Primitives;

namespace Lintel.Runtime;

/// <summary>The result of one read. The configuration is <see langword="null"/> if none could be built.</summary>
internal sealed record SourceReading(GatewayConfig? Config, MapNode Root, ConfigReport Report)
{
    /// <summary>The raw files, by full path; empty if the source is not files.</summary>
    public IReadOnlyDictionary<string, byte[]> Contents { get; init; } = ReadOnlyDictionary<string, byte[]>.Empty;

    /// <summary>The files that were read, for the watch.</summary>
    public WatchedFiles Watched { get; init; } = new([], [], null);
}

/// <summary>The result of reading the last good configuration.</summary>
internal sealed record LastGoodReading(SourceReading Reading, DateTimeOffset SavedAt, string FilePath);

/// <summary>The source of the configuration: files, <c>IConfiguration</c>, or code.</summary>
internal abstract class GatewaySource
{
    /// <summary>Reads without side effects: validating a running gateway's files does not change what is watched.</summary>
    public abstract SourceReading Read();

    /// <summary>
    /// Reads once no file is being written: a program that writes a file truncates it first, and half of a configuration may well be valid.
    /// </summary>
    public virtual Task<SourceReading> ReadSettledAsync(CancellationToken cancellation) => BackgroundThread.RunAsync("lintel-read", Read);

    /// <summary>Records a read that is applied, whether it goes live or is refused: later changes are relative to it.</summary>
    public virtual void Take(SourceReading reading) { }

    /// <summary>
    /// Whether another read would return different content from the last recorded one; <see langword="null"/> if unknown.
    /// </summary>
    public virtual bool? HasOtherContent() => null;

    /// <summary>Calls back whenever another read may return different content, until disposed.</summary>
    public abstract IDisposable Watch(Action changed);

    /// <summary>Saves the configuration that went live, if this source supports it.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">Access to write it is denied.</exception>
    public virtual void Keep(SourceReading reading) { }

    /// <summary>Reads the saved configuration; <see langword="null"/> if there is none.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">Access to read it is denied.</exception>
    public virtual LastGoodReading? ReadKept() => null;

    /// <summary>Interprets the tree: the only way from a document to a configuration.</summary>
    protected static SourceReading Interpret(ConfigDocument document)
    {
        var root = document.Root;
        return PolicyCatalog.Grammar.TryRead(root, KeyPath.Root, document.Report, out var config)
            ? new SourceReading(config, root, document.Report)
            : new SourceReading(null, root, document.Report);
    }

    /// <summary>Files, each overlaying the previous ones.</summary>
    internal sealed class Files(IReadOnlyList<string> files, ConfigEnvironment environment, TimeProvider time, LastGood? lastGood = null)
        : GatewaySource
    {
        /// <summary>The minimum age of a file: truncating and writing it are a few milliseconds apart at most.</summary>
        private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(50);

        private volatile WatchedFiles _watched = new(
            [.. files.Where(f => f != ConfigFiles.StandardInput).Select(Path.GetFullPath)],
            [],
            null
        );

        // The files that had content when they went live: a program that writes a file truncates it first, and a full disk leaves it empty.
        private HashSet<string> _written = [];

        public override SourceReading Read()
        {
            var document = ConfigDocument.Load(files, environment);
            foreach (var file in document.Sources.Contents.Where(c => _written.Contains(c.Key) && IsBlank(c.Value)).Select(c => c.Key))
                document.Report.Add(
                    new ConfigProblem(
                        "empty",
                        new SourcePosition(file, 1, 1),
                        "",
                        "the file is empty, unlike the configuration that is served",
                        "check whether it is being written or the disk is full; write `{}` for an intentionally empty configuration"
                    )
                );
            var reading = Interpret(document) with { Contents = document.Sources.Contents };

            // Certificates are hashed before they are loaded: a change in between is reported once too often rather than never.
            IReadOnlyCollection<string> watched =
            [
                .. document.Sources.Files.Concat(reading.Config?.Files ?? []).Distinct(StringComparer.Ordinal),
            ];
            return reading with
            {
                Watched = new WatchedFiles(
                    watched,
                    document.Sources.Folders,
                    ContentFingerprint.OfAll(watched, document.Sources.Folders, document.Sources.Fingerprints)
                ),
            };
        }

        /// <summary>Reads recently written files again, but not forever: a file that is always being written is read as it is.</summary>
        public override async Task<SourceReading> ReadSettledAsync(CancellationToken cancellation)
        {
            var watched = _watched.Files;
            for (var round = 0; ; round++)
            {
                while (round < 40 && watched.Any(IsYoung))
                {
                    await Task.Delay(Quiet, time, cancellation).ConfigureAwait(false);
                    round++;
                }

                var reading = await BackgroundThread.RunAsync("lintel-read", Read).ConfigureAwait(false);
                watched = reading.Watched.Files;
                if (round >= 40 || !watched.Any(IsYoung))
                    return reading;
            }
        }

        public override void Take(SourceReading reading) => _watched = reading.Watched;

        public override bool? HasOtherContent() =>
            _watched is { Taken: { } taken } watched && ContentFingerprint.OfAll(watched.Files, watched.Folders) is { } now
                ? now != taken
                : null;

        public override IDisposable Watch(Action changed) => new FileWatch(() => _watched, changed, time);

        public override void Keep(SourceReading reading)
        {
            _written = [.. reading.Contents.Where(c => !IsBlank(c.Value)).Select(c => c.Key)];
            lastGood?.Keep(reading.Contents, time.GetUtcNow());
        }

        public override LastGoodReading? ReadKept() =>
            lastGood?.Read() is { } kept
                ? new LastGoodReading(Interpret(ConfigDocument.Load(files, environment.With(kept))), kept.SavedAt, lastGood.FilePath)
                : null;

        private static bool IsBlank(byte[] content) => content.AsSpan().IndexOfAnyExcept(" \t\r\n"u8) < 0;

        private bool IsYoung(string file) =>
            time.GetUtcNow().UtcDateTime - File.GetLastWriteTimeUtc(file) is var age && age >= TimeSpan.Zero && age < Quiet;
    }

    /// <summary>A section of .NET's configuration system.</summary>
    /// <param name="section">The section.</param>
    /// <param name="root">The base folder of relative paths.</param>
    internal sealed class Section(IConfiguration section, string root) : GatewaySource
    {
        public override SourceReading Read()
        {
            var document = ConfigDocument.FromConfiguration(section, root);
            if (section is IConfigurationSection named && !named.Exists())
                document.Report.Add(
                    new ConfigProblem(
                        "missing-key",
                        document.Root.Position,
                        "",
                        $"the section `{named.Path}` of the application's configuration is missing or empty",
                        "add it to appsettings.json, or pass another section to `AddLintel`"
                    )
                );
            return Interpret(document);
        }

        public override IDisposable Watch(Action changed) => ChangeToken.OnChange(section.GetReloadToken, changed);
    }

    /// <summary>A configuration made in code. It never changes.</summary>
    internal sealed class Code(GatewayConfig config) : GatewaySource
    {
        public override SourceReading Read() => new(config, new MapNode(new SourcePosition("code", 0, 0)), new ConfigReport());

        public override IDisposable Watch(Action changed) => new CancellationTokenSource();
    }
}
