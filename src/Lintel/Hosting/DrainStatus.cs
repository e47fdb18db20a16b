namespace Lintel.Hosting;

/// <summary>A drain: the gateway waits for requests in flight.</summary>
/// <param name="Since">When it began.</param>
/// <param name="Until">When requests that are still in flight are aborted.</param>
internal sealed record DrainStatus(DateTimeOffset Since, DateTimeOffset Until);
