using System.IO.Hashing;

namespace Lintel.Runtime;

/// <summary>Notices that watched files have other content. Events of the file system make it quick; looking again every two seconds makes it sure.</summary>
/// <remarks>
/// Content counts, not events: an editor that writes a new file over the old one, a Kubernetes volume that swaps a symbolic link, and a network
/// file system without events are all the same to it. A change is told once the content has stood still for one look.
/// </remarks>
internal sealed class FileWatch : IDisposable
{
    private static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly Func<(IReadOnlyCollection<string> Files, IReadOnlyCollection<string> Folders)> _watched;
    private readonly Action _changed;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, FileSystemWatcher> _watchers = new(StringComparer.Ordinal);
    private UInt128 _told;
    private UInt128 _seen;
    private bool _isHinted;
    private bool _disposed;

    public FileWatch(Func<(IReadOnlyCollection<string> Files, IReadOnlyCollection<string> Folders)> watched, Action changed, TimeProvider time)
    {
        _watched = watched;
        _changed = changed;
        _told = _seen = Fingerprint(watched()) ?? default;
        WatchFolders();
        _timer = time.CreateTimer(_ => Look(), null, Patience, Patience);
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _timer.Dispose();
            foreach (var watcher in _watchers.Values)
                watcher.Dispose();
            _watchers.Clear();
        }
    }

    private void Look()
    {
        (IReadOnlyCollection<string> Files, IReadOnlyCollection<string> Folders) watched;
        UInt128 now;
        lock (_lock)
        {
            _isHinted = false;
            if (_disposed)
                return;
            watched = _watched();
            if (Fingerprint(watched) is not { } seen)
                return;
            now = seen;
            var isSettled = now == _seen;
            _seen = now;
            if (now == _told)
                return;
            if (!isSettled)
            {
                _timer.Change(Settle, Patience);
                return;
            }

            _told = now;
        }

        _changed();
        lock (_lock)
        {
            if (_disposed)
                return;

            // The change may have brought other includes with it.
            WatchFolders();
            if (Fingerprint(watched) == now)
                _told = _seen = Fingerprint(_watched()) ?? now;
            else
                _timer.Change(Settle, Patience); // somebody wrote while it was being taken: that is another change
        }
    }

    private void Hint(object sender, FileSystemEventArgs e)
    {
        lock (_lock)
        {
            // The first event of a storm counts: a log that is written in the same folder must not put the look off for ever.
            if (_disposed || _isHinted)
                return;
            _isHinted = true;
            _timer.Change(Settle, Patience);
        }
    }

    private void WatchFolders()
    {
        var (files, folders) = _watched();
        var wanted = files.Select(f => Path.GetDirectoryName(f)!).Concat(folders).Where(Directory.Exists).ToHashSet(StringComparer.Ordinal);
        foreach (var folder in _watchers.Keys.Except(wanted).ToList())
        {
            _watchers[folder].Dispose();
            _watchers.Remove(folder);
        }

        foreach (var folder in wanted.Where(f => !_watchers.ContainsKey(f)))
        {
            try
            {
                var watcher = new FileSystemWatcher(folder) { NotifyFilter = NotifyFilters.FileName | NotifyFilters.LastWrite | NotifyFilters.Size };
                watcher.Changed += Hint;
                watcher.Created += Hint;
                watcher.Deleted += Hint;
                watcher.Renamed += Hint;
                watcher.EnableRaisingEvents = true;
                _watchers.Add(folder, watcher);
            }
            catch (IOException)
            {
                // The machine's limit of inotify watches is reached: the timer alone does it.
            }
        }
    }

    /// <summary>Names and content of everything that is watched; <see langword="null"/> while the process cannot look because it has no file descriptor left.</summary>
    private static UInt128? Fingerprint((IReadOnlyCollection<string> Files, IReadOnlyCollection<string> Folders) watched)
    {
        var (files, folders) = watched;
        var hash = new XxHash128();
        try
        {
            foreach (var folder in folders.Where(Directory.Exists))
            {
                foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
                    hash.Append(System.Text.Encoding.UTF8.GetBytes(file));
            }

            foreach (var file in files.Order(StringComparer.Ordinal))
            {
                hash.Append(System.Text.Encoding.UTF8.GetBytes(file));
                Append(hash, file);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            if (IsOutOfDescriptors(e))
                return null;
            hash.Append("unreadable"u8);
        }

        return hash.GetCurrentHashAsUInt128();
    }

    private static void Append(XxHash128 hash, string file)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            hash.Append(stream);
        }
        catch (Exception e) when ((e is IOException && !IsOutOfDescriptors(e)) || e is UnauthorizedAccessException)
        {
            hash.Append("missing"u8);
        }
    }

    /// <summary>EMFILE and ENFILE: on Unix an <see cref="IOException"/> carries the system's number.</summary>
    private static bool IsOutOfDescriptors(Exception e) => e.HResult is 23 or 24;
}
