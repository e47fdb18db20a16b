using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using Lintel.Cli.Logging;

namespace Lintel.Cli;

/// <summary>Process metrics that <c>System.Runtime</c> does not have: descriptors, limits, uptime.</summary>
internal sealed class ProcessMetrics : IDisposable
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Lintel.Process";

    private readonly Meter _meter = new(MeterName);
    private readonly long _started = Stopwatch.GetTimestamp();

    /// <param name="errors">Counts the lines of the error log that were dropped.</param>
    public ProcessMetrics(ErrorLogProvider errors)
    {
        // Asked for at each collection only.
        _meter.CreateObservableGauge(
            "process.uptime",
            () => Stopwatch.GetElapsedTime(_started).TotalSeconds,
            "s",
            "Uptime of the process."
        );
        _meter.CreateObservableUpDownCounter(
            "lintel.process.memory.limit",
            static () => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            "By",
            "Memory limit of the process: that of its container, or the memory of the machine."
        );
        _meter.CreateObservableCounter(
            "lintel.error_log.dropped",
            () => errors.Dropped,
            "{line}",
            "Error log lines that were dropped because the output was not read or the file could not be written."
        );
        if (!OperatingSystem.IsLinux())
            return;
        _meter.CreateObservableUpDownCounter(
            "process.unix.file_descriptor.count",
            static () => Directory.EnumerateFileSystemEntries("/proc/self/fd").LongCount(),
            "{file_descriptor}",
            "Open file descriptors: sockets, files, pipes."
        );
        _meter.CreateObservableUpDownCounter(
            "lintel.process.file_descriptor.limit",
            DescriptorLimit,
            "{file_descriptor}",
            "File descriptors that the process may open."
        );
    }

    public void Dispose() => _meter.Dispose();

    /// <summary>The soft limit; empty if there is none.</summary>
    private static IEnumerable<Measurement<long>> DescriptorLimit()
    {
        foreach (var line in File.ReadLines("/proc/self/limits"))
        {
            if (line.StartsWith("Max open files", StringComparison.Ordinal))
                return long.TryParse(
                    line[14..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0],
                    CultureInfo.InvariantCulture,
                    out var limit
                )
                    ? [new Measurement<long>(limit)]
                    : [];
        }

        return [];
    }
}
