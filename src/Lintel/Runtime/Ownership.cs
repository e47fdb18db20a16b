using System.Runtime.InteropServices;
using System.Text;

namespace Lintel.Runtime;

/// <summary>
/// Checks whether a file or folder can be trusted: only the process's user and root may have created it, or may change it.
/// </summary>
internal static class Ownership
{
    private const UnixFileMode WritableByOthers = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    /// <summary>Returns why it is not trusted; <see langword="null"/> if it is.</summary>
    /// <param name="path">An existing file or folder. Symbolic links are not followed.</param>
    public static string? FindProblem(string path)
    {
        if (OperatingSystem.IsWindows())
            return null;
        if (new FileInfo(path).LinkTarget is not null)
            return "it is a symbolic link";
        var mode = File.GetUnixFileMode(path);
        if ((mode & WritableByOthers) != 0)
            return $"it is writable by others (its mode is {Convert.ToString((int)mode, 8)})";
        return OwnerOf(path) is { } owner && owner != 0 && owner != EffectiveUser() ? $"it is owned by another user ({owner})" : null;
    }

    /// <summary>
    /// Returns the owner's user id, from statx(2), whose structure is the same on every architecture; <see langword="null"/> if it is not
    /// available.
    /// </summary>
    private static uint? OwnerOf(string path)
    {
        const int CurrentFolder = -100; // AT_FDCWD
        const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
        const nint OwnerMask = 0x8; // STATX_UID
        const int OwnerOffset = 20; // stx_uid
        nint number = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => 332,
            Architecture.Arm64 => 291,
            _ => 0,
        };
        if (!OperatingSystem.IsLinux() || number == 0)
            return null;
        var result = new byte[256];
        return SystemCall(number, CurrentFolder, Encoding.UTF8.GetBytes(path + "\0"), NoFollow, OwnerMask, result) == 0
            ? BitConverter.ToUInt32(result, OwnerOffset)
            : null;
    }

    [DllImport("libc", EntryPoint = "geteuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern uint EffectiveUser();

    /// <summary>Calls statx by number: not every C library has a function of that name.</summary>
    [DllImport("libc", EntryPoint = "syscall")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint SystemCall(nint number, nint folder, byte[] path, nint flags, nint mask, byte[] result);
}
