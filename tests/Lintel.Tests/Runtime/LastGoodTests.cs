using System.Text;
using Lintel.Runtime;

namespace Lintel.Tests.Runtime;

public sealed class LastGoodTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    private readonly string _folder = Path.Combine(Path.GetTempPath(), "lintel-test-" + Guid.NewGuid().ToString("n"));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Keep_OfFiles_GivesTheSameFilesBack()
    {
        var lastGood = new LastGood(_folder, ["/etc/a.yaml"]);
        Assert.Null(lastGood.Read());
        var files = Files(("/etc/a.yaml", "\uFEFFa: \"\u00e9\u0001\"\r\n"), ("/etc/routes/b.yaml", ""));
        lastGood.Keep(files, Now);
        var kept = lastGood.Read()!;
        Assert.True(kept.Holds(files));
        Assert.Equal(Now, kept.SavedAt);
        Assert.Equal(files["/etc/a.yaml"], kept.Read("/etc/a.yaml"));
        Assert.Null(kept.Length("/etc/c.yaml"));
        Assert.Throws<FileNotFoundException>(() => kept.Read("/etc/c.yaml"));
        Assert.Equal([lastGood.FilePath], Directory.GetFiles(_folder));
    }

    [Fact]
    public void Keep_ThroughLinksThatOthersLeft_WritesNothingElsewhere()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Unix");
        var lastGood = new LastGood(_folder, ["/etc/a.yaml"]);
        lastGood.Keep(Files(("/etc/a.yaml", "a")), Now);
        var victim = Path.Combine(_folder, "victim");
        File.WriteAllText(victim, "precious");
        foreach (var name in (string[])[lastGood.FilePath, lastGood.FilePath + ".new", lastGood.FilePath + ".tmp"])
        {
            File.Delete(name);
            File.CreateSymbolicLink(name, victim);
        }

        Assert.Contains("symbolic link", Assert.Throws<InvalidDataException>(() => lastGood.Read()).Message, StringComparison.Ordinal);
        lastGood.Keep(Files(("/etc/a.yaml", "b")), Now);
        Assert.Equal("precious", File.ReadAllText(victim));
        Assert.Null(new FileInfo(lastGood.FilePath).LinkTarget);
        Assert.Equal("b"u8, lastGood.Read()!.Read("/etc/a.yaml"));
        Assert.Equal(2, Directory.GetFiles(_folder).Length);
    }

    [Theory]
    [InlineData(true, UnixFileMode.OtherWrite)]
    [InlineData(true, UnixFileMode.GroupWrite)]
    [InlineData(false, UnixFileMode.OtherWrite)]
    [InlineData(false, UnixFileMode.GroupWrite)]
    public void File_ThatOthersMayWrite_IsNotServed(bool isFolder, UnixFileMode more)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Unix");
        if (OperatingSystem.IsWindows())
            return;
        var lastGood = new LastGood(_folder, ["/etc/a.yaml"]);
        lastGood.Keep(Files(("/etc/a.yaml", "a")), Now);
        var place = isFolder ? _folder : lastGood.FilePath;
        var mode = File.GetUnixFileMode(place);
        File.SetUnixFileMode(place, mode | more);
        Assert.Contains(
            "it is writable by others",
            Assert.Throws<InvalidDataException>(() => lastGood.Read()).Message,
            StringComparison.Ordinal
        );
        if (isFolder)
            Assert.Contains(
                "it is writable by others",
                Assert.Throws<IOException>(() => lastGood.Keep(Files(("/etc/a.yaml", "b")), Now)).Message,
                StringComparison.Ordinal
            );
        else
            lastGood.Keep(Files(("/etc/a.yaml", "b")), Now); // puts a file of its own in the place
        File.SetUnixFileMode(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Assert.Equal(isFolder ? "a" : "b", System.Text.Encoding.UTF8.GetString(lastGood.Read()!.Read("/etc/a.yaml")));
    }

    [Fact]
    public void Folder_OfAnotherUser_IsNotTrusted()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "gives a folder away");
        Directory.CreateDirectory(_folder);
        Assert.Null(Ownership.FindProblem("/etc"));
        Assert.Null(Ownership.FindProblem(_folder));
        using (var chown = System.Diagnostics.Process.Start("chown", ["12345", _folder]))
            chown.WaitForExit();
        Assert.Equal("it is owned by another user (12345)", Ownership.FindProblem(_folder));
    }

    [Fact]
    public void Folder_BehindALink_IsTrustedForWhatItIs()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Unix");
        var real = Directory.CreateDirectory(Path.Combine(_folder, "private", "lintel")).FullName;
        var link = Path.Combine(_folder, "lintel");
        Directory.CreateSymbolicLink(link, "private/lintel"); // as systemd makes it for DynamicUser=
        var lastGood = new LastGood(link, ["/etc/a.yaml"]);
        lastGood.Keep(Files(("/etc/a.yaml", "a")), Now);
        Assert.NotNull(lastGood.Read());
        Assert.Single(Directory.GetFiles(real));
    }

    [Fact]
    public void Keep_OfTheSameFiles_WritesNothing()
    {
        var lastGood = new LastGood(_folder, ["/etc/a.yaml"]);
        lastGood.Keep(Files(("/etc/a.yaml", "a")), Now);
        lastGood.Keep(Files(("/etc/a.yaml", "a")), Now.AddDays(1));
        Assert.Equal(Now, lastGood.Read()!.SavedAt);
        lastGood.Keep(Files(("/etc/a.yaml", "b")), Now.AddDays(1));
        Assert.Equal(Now.AddDays(1), lastGood.Read()!.SavedAt);
    }

    [Fact]
    public void Folder_OfTwoGateways_KeepsThemApart()
    {
        var one = new LastGood(_folder, ["/etc/a.yaml"]);
        var two = new LastGood(_folder, ["/etc/a.yaml", "/etc/b.yaml"]);
        one.Keep(Files(("/etc/a.yaml", "one")), Now);
        two.Keep(Files(("/etc/a.yaml", "two")), Now);
        Assert.Equal("one"u8, one.Read()!.Read("/etc/a.yaml"));
    }

    [Fact]
    public void Read_OfAFileCutAnywhere_IsRefused()
    {
        var lastGood = new LastGood(_folder, ["/etc/a.yaml"]);
        lastGood.Keep(Files(("/etc/a.yaml", "services: {}\nroutes: {}\n")), Now);
        var whole = File.ReadAllBytes(lastGood.FilePath);
        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(lastGood.FilePath, whole[..length]);
            Assert.Throws<InvalidDataException>(() => lastGood.Read());
        }
    }

    [Fact]
    public void Read_OfAFileWithAnyOtherByte_IsRefused()
    {
        var lastGood = new LastGood(_folder, ["/etc/a.yaml"]);
        lastGood.Keep(Files(("/etc/a.yaml", "services: {}\n")), Now);
        var whole = File.ReadAllBytes(lastGood.FilePath);
        for (var at = 0; at < whole.Length; at++)
        {
            var other = (byte[])whole.Clone();
            other[at] ^= 0x21;
            File.WriteAllBytes(lastGood.FilePath, other);
            Assert.Throws<InvalidDataException>(() => lastGood.Read());
        }

        // A damaged file is rewritten by the next change.
        lastGood.Keep(Files(("/etc/a.yaml", "services: {}\n")), Now);
        Assert.Equal(whole, File.ReadAllBytes(lastGood.FilePath));
    }

    [Fact]
    public void Read_AfterACrashWhileWriting_GivesTheOneBefore()
    {
        var lastGood = new LastGood(_folder, ["/etc/a.yaml"]);
        lastGood.Keep(Files(("/etc/a.yaml", "old")), Now);
        File.WriteAllText(lastGood.FilePath + ".new", "lintel-last-good 1 half a line");
        Assert.Equal("old"u8, lastGood.Read()!.Read("/etc/a.yaml"));
        lastGood.Keep(Files(("/etc/a.yaml", "new")), Now);
        Assert.Equal("new"u8, lastGood.Read()!.Read("/etc/a.yaml"));
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Fact]
    public void Source_ReadFromWhatWasKept_HasIncludesOverlaysAndPositionsOfTheFiles()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "config", "routes"));
        var main = Path.Combine(_folder, "config", "main.yaml");
        var over = Path.Combine(_folder, "config", "over.yaml");
        File.WriteAllText(main, "include: [\"routes/*.yaml\", one.yaml, \"none/*.yaml\"]\nname: ${NAME}\n");
        File.WriteAllText(over, "routes: { a: { respond: { body: over } } }\n");
        Directory.CreateDirectory(Path.Combine(_folder, "config", "none"));
        File.WriteAllText(Path.Combine(_folder, "config", "one.yaml"), "services: { s: \"http://127.0.0.1:1\" }\n");
        File.WriteAllText(Path.Combine(_folder, "config", "routes", "a.yaml"), "routes: { a: { match: /a, respond: { body: a } } }\n");
        File.WriteAllText(Path.Combine(_folder, "config", "routes", "b.yaml"), "routes: { b: { match: /b, forward: s } }\n");
        var source = new GatewaySource.Files(
            [main, over],
            GatewayReader.TestEnvironment,
            TimeProvider.System,
            new LastGood(_folder, [main, over])
        );
        var reading = source.Read();
        Assert.Empty(reading.Report.Problems);
        Assert.Equal(5, reading.Contents.Count);
        source.Keep(reading);

        Directory.Delete(Path.Combine(_folder, "config"), recursive: true);
        Assert.NotEmpty(source.Read().Report.Problems);
        var kept = source.ReadKept()!.Reading;
        Assert.Empty(kept.Report.Problems);
        Assert.Equal(reading.Config, kept.Config);
        Assert.Equal("edge", kept.Config!.Name);
        Assert.Equal(main, kept.Root.Find("name")!.Value.Position.Source);
        Assert.DoesNotContain("edge", File.ReadAllText(Directory.GetFiles(_folder).Single()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", false)]
    [InlineData(" \n", false)]
    [InlineData("{}", true)]
    [InlineData("# nothing", true)]
    public void Source_WhoseFileBecameEmpty_IsNotTaken(string text, bool isTaken)
    {
        Directory.CreateDirectory(_folder);
        var file = Path.Combine(_folder, "a.yaml");
        var source = new GatewaySource.Files([file], GatewayReader.TestEnvironment, TimeProvider.System);
        File.WriteAllText(file, text);
        Assert.True(source.Read().Report.IsValid, "an empty file is no mistake at the start");
        File.WriteAllText(file, "name: edge\n");
        source.Keep(source.Read());
        File.WriteAllText(file, text);
        Assert.Equal(isTaken ? [] : ["empty"], source.Read().Report.Problems.Select(p => p.Code));
    }

    private static Dictionary<string, byte[]> Files(params (string Path, string Text)[] files) =>
        files.ToDictionary(f => f.Path, f => Encoding.UTF8.GetBytes(f.Text));
}
