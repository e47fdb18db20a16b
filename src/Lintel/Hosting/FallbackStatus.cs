namespace Lintel.Hosting;

/// <summary>The last good configuration, saved by <c>--fallback-last-good</c>.</summary>
/// <param name="FilePath">The file that it is saved in.</param>
/// <param name="SavedAt">When it first went live.</param>
internal sealed record FallbackStatus(string FilePath, DateTimeOffset SavedAt);
