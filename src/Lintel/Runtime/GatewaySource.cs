using System.Collections.ObjectModel;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Policies;
using Lintel.Transport.Loop;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Primitives;

namespace Lintel.Runtime;

/// <summary>What one reading yielded. The configuration is <see langword="null"/> where nothing could be made of it.</summary>
internal sealed record SourceReading(GatewayConfig? Config, MapNode Root, ConfigReport Report)
{
    /// <summary>The files as they are written, by full path; empty where the source is no file.</summary>
    public IReadOnlyDictionary<string, byte[]> Contents { get; init; } = ReadOnlyDictionary<string, byte[]>.Empty;

    /// <summary>What was read, for the watch.</summary>
    public WatchedFiles Watched { get; init; } = new([], [], null);
}

/// <summary>What a reading of the last good configuration yielded.</summary>
internal sealed record LastGoodReading(SourceReading Reading, DateTimeOffset SavedAt, string FilePath);

/// <summary>Where the configuration comes from: files, <c>IConfiguration</c>, or code.</summary>
internal abstract class GatewaySource
{
    /// <summary>Reads, and nothing else: whoever validates a running gateway's files does not change what is watched.</summary>
    public abstract SourceReading Read();

    /// <summary>
    /// Reads once nobody is writing: a program that writes a file empties it first, and half of a configuration may well be a valid one.
    /// </summary>
    public virtual Task<SourceReading> ReadSettledAsync(CancellationToken cancellation) => BackgroundThread.RunAsync("lintel-read", Read);

    /// <summary>Is told of each reading that is taken, whether it goes live or is refused: changes are changes of it.</summary>
    public virtual void Take(SourceReading reading) { }

    /// <summary>
    /// Whether reading again would yield something else than what was taken last; <see langword="null"/> where that cannot be told.
    /// </summary>
    public virtual bool? HasOtherContent() => null;

    /// <summary>Calls back whenever reading again may yield something else, until disposed.</summary>
    public abstract IDisposable Watch(Action changed);

    /// <summary>Is told of what went live, and keeps it if this source keeps anything.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public virtual void Keep(SourceReading reading) { }

    /// <summary>Reads what was kept; <see langword="null"/> where nothing is.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public virtual LastGoodReading? ReadKept() => null;

    /// <summary>Gives the tree its meaning: the one way from a document to a configuration.</summary>
    protected static SourceReading Interpret(ConfigDocument document)
    {
        var root = document.Root;
        return PolicyCatalog.Grammar.TryRead(root, KeyPath.Root, document.Report, out var config)
            ? new SourceReading(config, root, document.Report)
            : new SourceReading(null, root, document.Report);
    }

    /// <summary>Files, each overlaying the ones before.</summary>
    internal sealed class Files(IReadOnlyList<string> files, ConfigEnvironment surroundings, TimeProvider time, LastGood? lastGood = null)
        : GatewaySource
    {
        /// <summary>Emptying a file and writing it are a few milliseconds apart at most.</summary>
        private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(50);

        private volatile WatchedFiles _watched = new(
            [.. files.Where(f => f != ConfigFiles.StandardInput).Select(Path.GetFullPath)],
            [],
            null
        );

        // The files that held something when they went live: a program that writes a file empties it first, a full disk leaves it so.
        private HashSet<string> _written = [];

        public override SourceReading Read()
        {
            var document = ConfigDocument.Load(files, surroundings);
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

            // Certificates are looked at before they are loaded: what changes in between is told once too often rather than never.
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

        /// <summary>Young files are looked at again, but not for ever: one that is always being written is read as it is.</summary>
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
                ? new LastGoodReading(Interpret(ConfigDocument.Load(files, surroundings.With(kept))), kept.SavedAt, lastGood.FilePath)
                : null;

        private static bool IsBlank(byte[] content) => content.AsSpan().IndexOfAnyExcept(" \t\r\n"u8) < 0;

        private bool IsYoung(string file) =>
            time.GetUtcNow().UtcDateTime - File.GetLastWriteTimeUtc(file) is var age && age >= TimeSpan.Zero && age < Quiet;
    }

    /// <summary>A section of .NET's configuration system.</summary>
    /// <param name="section">The section.</param>
    /// <param name="root">The folder that relative paths begin at.</param>
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

    /// <summary>A configuration made in code. It does not change.</summary>
    internal sealed class Code(GatewayConfig config) : GatewaySource
    {
        public override SourceReading Read() => new(config, new MapNode(new SourcePosition("code", 0, 0)), new ConfigReport());

        public override IDisposable Watch(Action changed) => new CancellationTokenSource();
    }
}
