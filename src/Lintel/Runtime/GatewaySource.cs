using Lintel.Config;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Primitives;

namespace Lintel.Runtime;

/// <summary>What one reading yielded. The configuration is <see langword="null"/> where nothing could be made of it.</summary>
internal sealed record SourceReading(GatewayConfig? Config, MapNode Root, ConfigReport Report);

/// <summary>Where the configuration comes from: files, <c>IConfiguration</c>, or code.</summary>
internal abstract class GatewaySource
{
    public abstract SourceReading Read();

    /// <summary>Calls back whenever reading again may yield something else, until disposed.</summary>
    public abstract IDisposable Watch(Action changed);

    /// <summary>Gives the tree its meaning: the one way from a document to a configuration.</summary>
    protected static SourceReading Interpret(ConfigDocument document)
    {
        var root = document.Root;
        return GatewayConfig.Grammar.TryRead(root, KeyPath.Root, document.Report, out var config)
            ? new SourceReading(config, root, document.Report)
            : new SourceReading(null, root, document.Report);
    }

    /// <summary>Files, each overlaying the ones before.</summary>
    internal sealed class Files(IReadOnlyList<string> files, ConfigSurroundings surroundings, TimeProvider time) : GatewaySource
    {
        private IReadOnlyCollection<string> _watched = [.. files.Select(Path.GetFullPath)];
        private IReadOnlyCollection<string> _folders = [];

        public override SourceReading Read()
        {
            var document = ConfigDocument.Load(files, surroundings);
            _watched = document.Files;
            _folders = document.Folders;
            return Interpret(document);
        }

        public override IDisposable Watch(Action changed) => new FileWatch(() => (_watched, _folders), changed, time);
    }

    /// <summary>A section of .NET's configuration system.</summary>
    internal sealed class Section(IConfiguration section) : GatewaySource
    {
        public override SourceReading Read() => Interpret(ConfigDocument.FromConfiguration(section));

        public override IDisposable Watch(Action changed) => ChangeToken.OnChange(section.GetReloadToken, changed);
    }

    /// <summary>A configuration made in code. It does not change.</summary>
    internal sealed class Code(GatewayConfig config) : GatewaySource
    {
        public override SourceReading Read() => new(config, new MapNode(new SourcePosition("code", 0, 0)), new ConfigReport());

        public override IDisposable Watch(Action changed) => new CancellationTokenSource();
    }
}
