namespace Lintel.Config.Reading;

/// <summary>
/// Detects changed content of watched files. File system events make detection fast; polling every two seconds makes it reliable.
/// </summary>
/// <remarks>
/// Content is compared, not events: an editor that writes a new file over the old one, a Kubernetes volume that swaps a symbolic link, and
/// a network file system without events are handled alike. A change is reported once the content was the same in one more check.
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
    private bool _isNotifying;
    private bool _disposed;

    /// <param name="watched">Returns the watched files and their content when they were last read: the watch looks for differences from
    /// it.</param>
    /// <param name="changed">Handles a change; the set of watched files may differ afterwards.</param>
    /// <param name="time">The clock.</param>
    public FileWatch(Func<WatchedFiles> watched, Action changed, TimeProvider time)
    {
        _watched = watched;
        _changed = changed;
        WatchFolders();

        // A change since the last read is reported soon; the first check may hash large files and is not awaited.
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
            if (_disposed || _isNotifying)
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

            // A change that could not even be read is reported once.
            _untaken = (watched, now);
            _isNotifying = true;
        }

        try
        {
            _changed();
        }
        finally
        {
            lock (_lock)
                Rearm();
        }
    }

    private void Rearm()
    {
        _isNotifying = false;
        if (_disposed)
            return;

        // The change may have added includes, and files may have been written while it was being applied.
        WatchFolders();
        _timer.Change(Settle, Patience);
    }

    private void Hint(object sender, FileSystemEventArgs e)
    {
        lock (_lock)
        {
            // The first event of a burst counts: a log written in the same folder must not delay the check forever.
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
                // The machine's limit of inotify watches is reached: the timer alone is used.
            }
        }
    }
}

/// <summary>The files and folders that a configuration was read from.</summary>
/// <param name="Files">Full paths.</param>
/// <param name="Folders">The folders that are searched for files.</param>
/// <param name="Taken">Their content when they were read; <see langword="null"/> if unknown.</param>
internal sealed record WatchedFiles(IReadOnlyCollection<string> Files, IReadOnlyCollection<WatchedDirectory> Folders, UInt128? Taken);
