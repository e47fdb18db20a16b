using System.Diagnostics;
using System.Text;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Policies;
using Lintel.Tests.Observability;
using Microsoft.Extensions.FileSystemGlobbing.Abstractions;

namespace Lintel.Tests.Config;

public sealed class ConfigLoaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Includes_ThatMeetAgain_AreReadOnce()
    {
        // Two files a level, each of which includes both of the next one: 2^18 ways.
        const int Levels = 18;
        for (var level = 0; level < Levels; level++)
        {
            foreach (var side in (string[])["a", "b"])
                Write(
                    $"{side}{level}.yaml",
                    (level < Levels - 1 ? $"include: [a{level + 1}.yaml, b{level + 1}.yaml]\n" : "")
                        + $"services: {{ {side}{level}: \"http://127.0.0.1:1\" }}"
                );
        }

        var files = new CountedFiles();
        var document = ConfigDocument.Load(
            [Write("gateway.yaml", "include: [a0.yaml, b0.yaml]")],
            GatewayReader.TestEnvironment.With(files)
        );
        Assert.Empty(document.Report.Problems);
        Assert.Equal((2 * Levels) + 1, files.Reads);
        Assert.Equal(2 * Levels, ((MapNode)document.Root.Find("services")!.Value).Entries.Count);
    }

    [Fact]
    public void Includes_ThatNestWithoutEnd_AreRefused()
    {
        for (var i = 0; i < 200; i++)
            Write($"{i}.yaml", $"include: {i + 1}.yaml");
        var problem = Assert.Single(ConfigDocument.Load([_folder["0.yaml"]], GatewayReader.TestEnvironment).Report.Problems);
        Assert.Equal(("include", "includes are nested more than 32 levels deep"), (problem.Code, problem.Message));
    }

    [Fact]
    public void Include_OfTheSameFileByAnotherName_CountsOnce()
    {
        Write("services/a.yaml", "services: { a: \"http://127.0.0.1:1\" }");
        File.CreateSymbolicLink(_folder["services/b.yaml"], "a.yaml");
        var document = ConfigDocument.Load([Write("gateway.yaml", "include: [\"services/*.yaml\"]")], GatewayReader.TestEnvironment);
        Assert.Empty(document.Report.Problems);
        Assert.Equal(3, document.Sources.Files.Count); // both names are watched
        Assert.Equal(
            ContentFingerprint.OfAll(document.Sources.Files, document.Sources.Folders),
            ContentFingerprint.OfAll(document.Sources.Files, document.Sources.Folders, document.Sources.Fingerprints)
        );
    }

    [Fact]
    public void Include_OfItselfThroughALink_IsRefused()
    {
        var file = Write("gateway.yaml", "include: other.yaml");
        File.CreateSymbolicLink(_folder["other.yaml"], "gateway.yaml");
        Assert.Equal(
            "the file includes itself",
            Assert.Single(ConfigDocument.Load([file], GatewayReader.TestEnvironment).Report.Problems).Message
        );
    }

    [Theory]
    [InlineData("**/*.part.yaml")]
    [InlineData("*.part.yaml")]
    public void Include_InAConfigMapsVolume_TakesEveryFileOnce(string pattern)
    {
        ConfigMap.Write(
            _folder.Path,
            1,
            ("gateway.yaml", $"include: [\"{pattern}\"]"),
            ("a.part.yaml", "services: { a: \"http://127.0.0.1:1\" }"),
            ("b.part.yaml", "services: { b: \"http://127.0.0.1:1\" }")
        );
        var document = ConfigDocument.Load([_folder["gateway.yaml"]], GatewayReader.TestEnvironment);
        Assert.Empty(document.Report.Problems);
        Assert.Equal(["a", "b"], ((MapNode)document.Root.Find("services")!.Value).Entries.Select(e => e.Key));
        Assert.Equal(3, document.Sources.Files.Count);
    }

    [Fact]
    public void Include_OfAFolderWithALinkToItself_Ends()
    {
        Write("conf/a.yaml", "services: { a: \"http://127.0.0.1:1\" }");
        Directory.CreateSymbolicLink(_folder["conf/loop"], ".");
        Directory.CreateSymbolicLink(_folder["conf/up"], "../../" + Path.GetFileName(_folder.Path));
        var document = ConfigDocument.Load([Write("gateway.yaml", "include: [\"conf/**/*.yaml\"]")], GatewayReader.TestEnvironment);
        Assert.Empty(document.Report.Problems);
        Assert.Equal(2, document.Sources.Files.Count);
    }

    [Fact]
    public void Folder_AsAFile_IsAllItsFilesByName()
    {
        Write("conf.d/20-b.yml", "name: second\nroutes: {}");
        Write("conf.d/10-a.yaml", "name: first\nservices: {}");
        Write("conf.d/30-c.json", "{ \"clients\": {} }");
        Write("conf.d/notes.txt", "no: yaml: here");
        Write("conf.d/.hidden.yaml", "no: yaml: here");
        Write("conf.d/more/40-d.yaml", "no: yaml: here");
        var document = ConfigDocument.Load([_folder["conf.d"]], GatewayReader.TestEnvironment);
        Assert.Empty(document.Report.Problems);
        Assert.Equal(["name", "services", "routes", "clients"], document.Root.Entries.Select(e => e.Key));
        Assert.Equal("second", ((ScalarNode)document.Root.Find("name")!.Value).Text);
        Assert.Equal([new WatchedDirectory(_folder["conf.d"], IsDeep: false)], document.Sources.Folders);
    }

    [Fact]
    public void Folder_WithoutConfiguration_IsToldWithItsPath()
    {
        Write("conf.d/notes.txt", "");
        var problem = Assert.Single(
            ConfigDocument
                .Load([Path.GetRelativePath(Environment.CurrentDirectory, _folder["conf.d"])], GatewayReader.TestEnvironment)
                .Report.Problems
        );
        Assert.Equal("the directory contains no configuration files", problem.Message);
        Assert.EndsWith(_folder["conf.d"], problem.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void File_ThatIsMissing_IsToldWithItsFullPath()
    {
        var problem = Assert.Single(ConfigDocument.Load(["missing.yaml"], GatewayReader.TestEnvironment).Report.Problems);
        Assert.Equal("the full path is " + Path.GetFullPath("missing.yaml"), problem.Hint);
        Assert.Equal("missing.yaml: file: the file does not exist; " + problem.Hint, problem.ToString());
    }

    [Fact]
    public void StandardInput_GivenAsAFile_IsReadOnceAndNotWatched()
    {
        var opened = 0;
        var environment = GatewayReader.TestEnvironment.With(
            new DiskFiles(() =>
            {
                opened++;
                return new MemoryStream(Encoding.UTF8.GetBytes("services: { s: \"http://127.0.0.1:1\" }\nroutes: []\n"));
            })
        );
        for (var i = 0; i < 2; i++)
        {
            var document = ConfigDocument.Load(["-"], environment);
            PolicyCatalog.Grammar.TryRead(document.Root, KeyPath.Root, document.Report, out _);
            Assert.Equal("<stdin>:2:9", Assert.Single(document.Report.Problems).Position.ToString());
            Assert.Empty(document.Sources.Files);
        }

        Assert.Equal(1, opened);
    }

    [Fact]
    public async Task Pipe_GivenAsAFile_IsReadOnceAndNotWatched()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "named pipes of Unix");
        var pipe = _folder["pipe.yaml"];
        using (var made = Process.Start("mkfifo", [pipe]))
            await made.WaitForExitAsync(TestContext.Current.CancellationToken);
        var writing = Task.Run(() => File.WriteAllText(pipe, "name: edge"), TestContext.Current.CancellationToken);
        var environment = GatewayReader.TestEnvironment.With(new DiskFiles(() => Stream.Null));
        for (var i = 0; i < 2; i++)
        {
            var document = ConfigDocument.Load([pipe], environment);
            Assert.Empty(document.Report.Problems);
            Assert.NotNull(document.Root.Find("name"));
            Assert.Empty(document.Sources.Files);
        }

        await writing;
    }

    private string Write(string name, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder[name])!);
        File.WriteAllText(_folder[name], text);
        return _folder[name];
    }

    private sealed class CountedFiles : ConfigFiles
    {
        private readonly DiskFiles _disk = new(() => Stream.Null);

        public int Reads { get; private set; }

        public override long? Length(string path) => _disk.Length(path);

        public override byte[] Read(string path)
        {
            Reads++;
            return _disk.Read(path);
        }

        public override bool IsFolder(string path) => _disk.IsFolder(path);

        public override DirectoryInfoBase? Folder(string path) => _disk.Folder(path);

        public override string Identity(string path) => _disk.Identity(path);
    }
}
