using Lintel.Config;
using Lintel.Observability.Logs;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Observability.Logs;

public sealed class LogFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 23, 22, 0, 0, TimeSpan.Zero));

    private string File => _folder["access.log"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Write_ToAFileThatIsThere_Appends()
    {
        System.IO.File.WriteAllText(File, "before\n");
        using var log = Open(null);
        log.Write("after\n"u8);
        Assert.Equal("before\nafter\n", System.IO.File.ReadAllText(File));
    }

    [Fact]
    public void File_ThatIsMade_IsNotForEverybody()
    {
        using var log = Open(null);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(
                UnixFileMode.None,
                System.IO.File.GetUnixFileMode(File) & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.GroupWrite)
            );
    }

    [Fact]
    public void Size_ThatWouldBeExceeded_BeginsAnotherFile()
    {
        using var log = Open(new RotateConfig { Size = 20 });
        log.Write("0123456789012345678\n"u8); // exactly full
        Assert.Equal(["access.log"], _folder.Files);
        log.Write("next\n"u8);
        Assert.Equal(["access.log", "access.log.20261123T220000.000Z"], _folder.Files);
        Assert.Equal("next\n", System.IO.File.ReadAllText(File));
        Assert.Equal("0123456789012345678\n", System.IO.File.ReadAllText(_folder["access.log.20261123T220000.000Z"]));
    }

    [Fact]
    public void Line_LargerThanTheSize_GetsAFileOfItsOwn()
    {
        using var log = Open(new RotateConfig { Size = 4 });
        log.Write("0123456789\n"u8);
        log.Write("0123456789\n"u8);
        Assert.Equal(["access.log", "access.log.20261123T220000.000Z"], _folder.Files);
    }

    [Fact]
    public void Files_PutAsideInTheSameMillisecond_AreAllKept()
    {
        using var log = Open(new RotateConfig { Size = 1 });
        for (var i = 0; i < 4; i++)
            log.Write("x\n"u8);
        Assert.Equal(
            ["access.log", "access.log.20261123T220000.000Z", "access.log.20261123T220000.001Z", "access.log.20261123T220000.002Z"],
            _folder.Files
        );
    }

    [Fact]
    public void Files_BeyondThoseToKeep_AreDeletedAndNothingElse()
    {
        string[] others =
        [
            "access.log.1",
            "access.log.20261123T220000.000Z.gz",
            "access.log.bak",
            "error.log.20200101T000000.000Z",
            "access.logs",
        ];
        foreach (var other in others)
            System.IO.File.WriteAllText(_folder[other], "");
        using var log = Open(new RotateConfig { Size = 1, Keep = 2 });
        for (var i = 0; i < 6; i++)
        {
            log.Write([(byte)('0' + i), (byte)'\n']);
            _time.Advance(TimeSpan.FromMilliseconds(10));
        }

        Assert.Equal(
            ["access.log.20261123T220000.040Z", "access.log.20261123T220000.050Z"],
            _folder.Files.Except([.. others, "access.log"])
        );
        Assert.Equal("4\n", System.IO.File.ReadAllText(_folder["access.log.20261123T220000.050Z"]));
        Assert.Subset(_folder.Files.ToHashSet(), others.ToHashSet());
    }

    [Fact]
    public void Period_ThatHasPassed_BeginsAnotherFileAtMidnight()
    {
        using var log = Open(new RotateConfig { Every = TimeSpan.FromDays(1) });
        log.Write("evening\n"u8);
        _time.Advance(TimeSpan.FromHours(2) - TimeSpan.FromMilliseconds(1));
        log.Write("late\n"u8);
        Assert.Equal(["access.log"], _folder.Files);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        log.Write("morning\n"u8);
        Assert.Equal(["access.log", "access.log.20261124T000000.000Z"], _folder.Files);
        Assert.Equal("evening\nlate\n", System.IO.File.ReadAllText(_folder["access.log.20261124T000000.000Z"]));
    }

    [Theory]
    [InlineData(-3, 2)]
    [InlineData(-1, 1)]
    public void Period_OfLinesWrittenBeforeTheStart_Counts(int hours, int files)
    {
        System.IO.File.WriteAllText(File, "before\n");
        System.IO.File.SetLastWriteTimeUtc(File, _time.GetUtcNow().UtcDateTime.AddHours(hours));
        // 22:00 begins a period of two hours; 21:00 is in the previous one
        using var log = Open(new RotateConfig { Every = TimeSpan.FromHours(2) });
        log.Write("after\n"u8);
        Assert.Equal(hours == -1 ? 2 : files, _folder.Files.Length);
    }

    [Fact]
    public void File_MovedAway_IsMadeAnewWithinASecond()
    {
        using var log = Open(null);
        log.Write("one\n"u8);
        System.IO.File.Move(File, _folder["moved"]);
        System.IO.File.WriteAllText(File, ""); // as logrotate does with `create`
        log.Write("two\n"u8);
        Assert.Equal("one\ntwo\n", System.IO.File.ReadAllText(_folder["moved"]));
        _time.Advance(TimeSpan.FromSeconds(1));
        log.Write("three\n"u8);
        Assert.Equal("three\n", System.IO.File.ReadAllText(File));
    }

    [Fact]
    public void Reopen_AfterTheFileMovedAway_IsAtOnce()
    {
        using var log = Open(null);
        log.Write("one\n"u8);
        System.IO.File.Move(File, _folder["moved"]);
        log.Reopen();
        log.Write("two\n"u8);
        Assert.Equal("one\n", System.IO.File.ReadAllText(_folder["moved"]));
        Assert.Equal("two\n", System.IO.File.ReadAllText(File));
    }

    [Fact]
    public void File_EmptiedByAnother_GoesOnAtItsBeginning()
    {
        using var log = Open(null);
        log.Write("one\n"u8);
        using (var other = new FileStream(File, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            other.SetLength(0);
        log.Write("two\n"u8);
        Assert.Equal("two\n", System.IO.File.ReadAllText(File));
    }

    [Fact]
    public void Directory_ThatIsGone_FailsUntilItIsBack()
    {
        Directory.CreateDirectory(_folder["logs"]);
        using var log = new LogFile(_folder["logs/access.log"], null, _time, AccessLines.Lost());
        log.Write("one\n"u8);
        Directory.Delete(_folder["logs"], recursive: true);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.ThrowsAny<IOException>(() => log.Write("two\n"u8));
        Directory.CreateDirectory(_folder["logs"]);
        log.Write("three\n"u8);
        Assert.Equal("three\n", System.IO.File.ReadAllText(_folder["logs/access.log"]));
    }

    [Fact]
    public void Disk_ThatIsFull_FailsAsAWhole()
    {
        Assert.SkipUnless(System.IO.File.Exists("/dev/full"), "needs /dev/full");
        using var log = new LogFile("/dev/full", null, _time, AccessLines.Lost());
        Assert.ThrowsAny<IOException>(() => log.Write("one\n"u8));
    }

    private LogFile Open(RotateConfig? rotate) => new(File, rotate, _time, AccessLines.Lost());
}
