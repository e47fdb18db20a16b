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
    private bool _disposed;

    public FileWatch(Func<(IReadOnlyCollection<string> Files, IReadOnlyCollection<string> Folders)> watched, Action changed, TimeProvider time)
    {
        _watched = watched;
        _changed = changed;
        _told = _seen = Fingerprint();
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
        lock (_lock)
        {
            if (_disposed)
                return;
            var now = Fingerprint();
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
            _told = _seen = Fingerprint();
        }
    }

    private void Hint(object sender, FileSystemEventArgs e)
    {
        lock (_lock)
        {
            if (!_disposed)
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

    /// <summary>Names, sizes and content of everything that is watched.</summary>
    private UInt128 Fingerprint()
    {
        var (files, folders) = _watched();
        var hash = new XxHash128();
        foreach (var folder in folders.Where(Directory.Exists))
        {
            foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
                hash.Append(System.Text.Encoding.UTF8.GetBytes(file));
        }

        foreach (var file in files.Order(StringComparer.Ordinal))
        {
            hash.Append(System.Text.Encoding.UTF8.GetBytes(file));
            try
            {
                using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                hash.Append(stream);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                hash.Append("missing"u8);
            }
        }

        return hash.GetCurrentHashAsUInt128();
    }
}
