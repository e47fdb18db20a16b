using System.Globalization;
using System.Text;

namespace Lintel.Composition;

/// <summary>The <c>Composition</c> header: a list (RFC 9651 section 3.1) with a token for each call, in declared order, and what became of it.</summary>
/// <remarks>
/// <c>user;s=200;d=12, orders;err=response-timeout;d=300;src=stale, products;n=12;failed=2;d=31, segment;skipped</c>: status, duration in ms, kind of error, source of the fallback, items, and
/// the marks <c>shared</c>, <c>hedged</c>, <c>compensated</c>.
/// </remarks>
internal static class CompositionField
{
    public const string Name = "Composition";

    public static string Render(CallResult[] results)
    {
        var text = new StringBuilder(results.Length * 24);
        foreach (var result in results)
        {
            text.Append(text.Length == 0 ? "" : ", ").Append(result.Call.Name);
            Describe(text, result);
        }

        return text.ToString();
    }

    private static void Describe(StringBuilder text, CallResult result)
    {
        if (result.State is CallState.Skipped or CallState.Canceled)
        {
            text.Append(result.State == CallState.Skipped ? ";skipped" : ";canceled");
            return;
        }

        if (result.Status is { } status)
            text.Append(";s=").Append(status.ToString(CultureInfo.InvariantCulture));
        if (result.Items is { } items)
            text.Append(";n=").Append(items.ToString(CultureInfo.InvariantCulture));
        if (result.FailedItems > 0)
            text.Append(";failed=").Append(result.FailedItems.ToString(CultureInfo.InvariantCulture));
        if (result.Error is { } error)
            text.Append(";err=").Append(error.Rule.Slug);
        text.Append(";d=").Append(((long)result.Duration.TotalMilliseconds).ToString(CultureInfo.InvariantCulture));
        if (result.Source is { } source)
            text.Append(";src=").Append(source);
        if (result.IsShared)
            text.Append(";shared");
        if (result.WasHedged)
            text.Append(";hedged");
        if (result.IsCompensated is { } undone)
            text.Append(undone ? ";compensated" : ";compensated=?0");
    }

    /// <summary>The members of <c>Proxy-Status</c> (RFC 9209) for the calls that failed; <see langword="null"/> where none did.</summary>
    /// <param name="results">All calls.</param>
    /// <param name="gateway">The gateway's name: a token.</param>
    public static string? RenderProxyStatus(CallResult[] results, string gateway)
    {
        StringBuilder? text = null;
        foreach (var result in results)
        {
            if (result.Error is not { } error)
                continue;
            text = text is null ? new StringBuilder() : text.Append(", ");
            text.Append(gateway);
            if (error.Rule.ProxyStatus is { } type)
                text.Append("; error=").Append(type);
            if (result.Status is { } status)
                text.Append("; received-status=").Append(status.ToString(CultureInfo.InvariantCulture));
            text.Append("; details=\"").Append(result.Call.Name).Append('"'); // a name of letters, digits and `_`
        }

        return text?.ToString();
    }
}
