using System.Runtime.InteropServices;
using System.Text;

namespace Lintel.Runtime;

/// <summary>
/// Whether a file or folder is this process's own affair: nobody but its user and root may have made it, or may change it.
/// </summary>
internal static class Ownership
{
    private const UnixFileMode WritableByOthers = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    /// <summary>What speaks against trusting it; <see langword="null"/> where nothing does.</summary>
    /// <param name="path">A file or a folder that exists. A symbolic link is looked at itself, not what it leads to.</param>
    public static string? Objection(string path)
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
    /// The owner's number, by statx(2), whose structure is the same on every processor; <see langword="null"/> where that cannot be asked.
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

    /// <summary>By number: not every C library has a function of that name.</summary>
    [DllImport("libc", EntryPoint = "syscall")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint SystemCall(nint number, nint folder, byte[] path, nint flags, nint mask, byte[] result);
}
