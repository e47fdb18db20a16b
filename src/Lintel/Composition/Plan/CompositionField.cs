using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Lintel.Composition.Calls;

namespace Lintel.Composition.Plan;

/// <summary>
/// Renders the <c>Composition</c> header: a list (RFC 9651 section 3.1) with a token and the result of each call, in declared order.
/// </summary>
/// <remarks>
/// <c>user;s=200;d=12, orders;err=response-timeout;d=300;src=stale, products;n=12;failed=2;d=31, segment;skipped</c>: status, duration in
/// ms, kind of error, source of the fallback, items, and the marks <c>shared</c>, <c>hedged</c>, <c>uncertain</c>, <c>compensated</c>.
/// </remarks>
internal static class CompositionField
{
    public const string Name = "Composition";

    public static string Render(CallResult[] results)
    {
        var text = new DefaultInterpolatedStringHandler(0, 0, CultureInfo.InvariantCulture, stackalloc char[512]);
        foreach (var result in results)
        {
            text.AppendLiteral(text.Text.IsEmpty ? "" : ", ");
            text.AppendLiteral(result.Call.Name);
            Describe(ref text, result);
        }

        return text.ToStringAndClear();
    }

    private static void Describe(ref DefaultInterpolatedStringHandler text, CallResult result)
    {
        if (result.State is CallState.Skipped or CallState.Canceled)
        {
            text.AppendLiteral(result.State == CallState.Skipped ? ";skipped" : ";canceled");
            return;
        }

        Number(ref text, ";s=", result.Status);
        Number(ref text, ";n=", result.Items);
        Number(ref text, ";failed=", result.FailedItems > 0 ? result.FailedItems : null);
        Token(ref text, ";err=", result.Error?.Rule.Slug);
        Number(ref text, ";d=", (long)result.Duration.TotalMilliseconds);
        Token(ref text, ";src=", result.Source);
        text.AppendLiteral(result.IsShared ? ";shared" : "");
        text.AppendLiteral(result.WasHedged ? ";hedged" : "");
        text.AppendLiteral(result.IsUncertain ? ";uncertain" : "");
        if (result.IsCompensated is { } undone)
            text.AppendLiteral(undone ? ";compensated" : ";compensated=?0");
    }

    private static void Number(ref DefaultInterpolatedStringHandler text, string name, long? value)
    {
        if (value is not { } number)
            return;
        text.AppendLiteral(name);
        text.AppendFormatted(number);
    }

    private static void Token(ref DefaultInterpolatedStringHandler text, string name, string? value)
    {
        if (value is null)
            return;
        text.AppendLiteral(name);
        text.AppendLiteral(value);
    }

    /// <summary>
    /// Renders the members of <c>Proxy-Status</c> (RFC 9209) for the calls that failed; <see langword="null"/> if none did.
    /// </summary>
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
            text.Append("; details=\"").Append(result.Call.Name).Append('"'); // a name consists of letters, digits and `_`
        }

        return text?.ToString();
    }
}
