using System.Diagnostics;
using Lintel.Config.Reading;

namespace Lintel.Tests.Config;

/// <summary>
/// A folder as the kubelet writes a ConfigMap's volume: the files lie in a hidden folder, a hidden link leads to that, and the visible
/// files are links through it.
/// </summary>
internal static class ConfigMap
{
    public static void Write(string folder, int version, params ReadOnlySpan<(string Name, string Text)> files)
    {
        var hidden = $"..2026_11_27_20_48_{version:00}.{version}";
        Directory.CreateDirectory(Path.Combine(folder, hidden));
        foreach (var (name, text) in files)
            File.WriteAllText(Path.Combine(folder, hidden, name), text);
        File.CreateSymbolicLink(Path.Combine(folder, "..data_tmp"), hidden);
        // .NET moves no links to folders
        using (var move = Process.Start("mv", ["-T", Path.Combine(folder, "..data_tmp"), Path.Combine(folder, "..data")]))
            move.WaitForExit();
        foreach (var (name, _) in files)
        {
            if (new FileInfo(Path.Combine(folder, name)).LinkTarget is null)
                File.CreateSymbolicLink(Path.Combine(folder, name), Path.Combine("..data", name));
        }

        // The removed keys, and the version before.
        foreach (var link in Directory.EnumerateFiles(folder).Where(f => !File.Exists(RealPath.Of(f))).ToList())
            File.Delete(link);
        foreach (var other in Directory.EnumerateDirectories(folder, "..2026*").Where(d => Path.GetFileName(d) != hidden).ToList())
            Directory.Delete(other, recursive: true);
    }
}
