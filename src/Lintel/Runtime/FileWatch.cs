using Lintel.Config.Reading;

namespace Lintel.Runtime;

/// <summary>
/// Notices that watched files have other content. Events of the file system make it quick; looking again every two seconds makes it sure.
/// </summary>
/// <remarks>
/// Content counts, not events: an editor that writes a new file over the old one, a Kubernetes volume that swaps a symbolic link, and a
/// network file system without events are all the same to it. A change is told once the content has stood still for one look.
/// </remarks>
internal sealed class FileWatch : IDisposable
{
    private static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly Func<WatchedFiles> _watched;
    private readonly Action _changed;
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, FileSystemWatcher> _watchers = new(StringComparer.Ordinal);
    private UInt128? _seen;
    private (WatchedFiles Watched, UInt128 Content)? _untaken;
    private bool _isHinted;
    private bool _isTelling;
    private bool _disposed;

    /// <param name="watched">What is watched, with what was taken of it last: the watch looks for what differs from that.</param>
    /// <param name="changed">Takes a change; what is watched is another one afterwards.</param>
    /// <param name="time">The clock.</param>
    public FileWatch(Func<WatchedFiles> watched, Action changed, TimeProvider time)
    {
        _watched = watched;
        _changed = changed;
        WatchFolders();

        // What changed since it was read is told soon; the first look of all may hash large files and is not waited for.
        _timer = time.CreateTimer(_ => Look(), null, Settle, Patience);
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
        WatchedFiles watched;
        lock (_lock)
        {
            _isHinted = false;
            if (_disposed || _isTelling)
                return;
            watched = _watched();
            if (ContentFingerprint.OfAll(watched.Files, watched.Folders) is not { } now)
                return;
            var isSettled = now == _seen;
            _seen = now;
            if (now == watched.Taken || _untaken == (watched, now))
                return;
            if (!isSettled)
            {
                _timer.Change(Settle, Patience);
                return;
            }

            // A change that nobody could even read is told once.
            _untaken = (watched, now);
            _isTelling = true;
        }

        try
        {
            _changed();
        }
        finally
        {
            lock (_lock)
                GoOn();
        }
    }

    private void GoOn()
    {
        _isTelling = false;
        if (_disposed)
            return;

        // The change may have brought other includes with it, and somebody may have written while it was being taken.
        WatchFolders();
        _timer.Change(Settle, Patience);
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
        var watched = _watched();
        var wanted = watched
            .Files.Select(f => Path.GetDirectoryName(f)!)
            .Concat(watched.Folders.Select(f => f.Path))
            .Where(Directory.Exists)
            .ToHashSet(StringComparer.Ordinal);
        foreach (var folder in _watchers.Keys.Except(wanted).ToList())
        {
            _watchers[folder].Dispose();
            _watchers.Remove(folder);
        }

        foreach (var folder in wanted.Where(f => !_watchers.ContainsKey(f)))
        {
            try
            {
                var watcher = new FileSystemWatcher(folder)
                {
                    NotifyFilter = NotifyFilters.FileName | NotifyFilters.LastWrite | NotifyFilters.Size,
                };
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
}

/// <summary>What a configuration was read from.</summary>
/// <param name="Files">Full paths.</param>
/// <param name="Folders">The folders that are looked into for files.</param>
/// <param name="Taken">What they held when they were read; <see langword="null"/> where that is not known.</param>
internal sealed record WatchedFiles(IReadOnlyCollection<string> Files, IReadOnlyCollection<WatchedDirectory> Folders, UInt128? Taken);
