using System.Text;

namespace Lintel.Transport.Tests.Http1.Fuzz;

/// <summary>Compares what two readers made of the same answer.</summary>
internal static class Opinions
{
    public const string BothTake = "both take it";
    public const string BothRefuse = "both refuse it";

    /// <summary>RFC 9112 section 5.1: a proxy removes blanks before a colon; .NET refuses them.</summary>
    public const string OursTakesBlanks = "ours removes blanks before a colon";

    /// <summary>RFC 9110 names them, and .NET keeps them with the content.</summary>
    private static readonly HashSet<string> OfContent = new(StringComparer.OrdinalIgnoreCase)
    {
        "Allow",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Content-Length",
        "Content-Location",
        "Content-MD5",
        "Content-Range",
        "Content-Type",
        "Expires",
        "Last-Modified",
    };

    /// <summary>.NET drops them from trailers; ours leaves that to who passes them on.</summary>
    private static readonly HashSet<string> NeverTrailers = new(StringComparer.OrdinalIgnoreCase)
    {
        "Age",
        "Authorization",
        "Cache-Control",
        "Content-Encoding",
        "Content-Length",
        "Content-Range",
        "Content-Type",
        "Date",
        "Expect",
        "Expires",
        "Host",
        "If-Match",
        "If-Modified-Since",
        "If-None-Match",
        "If-Range",
        "If-Unmodified-Since",
        "Location",
        "Max-Forwards",
        "Pragma",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Range",
        "Retry-After",
        "Set-Cookie",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Vary",
        "Warning",
        "WWW-Authenticate",
    };

    /// <summary>.NET reads them for itself, and shows them as it understood them.</summary>
    private static readonly HashSet<string> Understood = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection",
        "Content-Length",
        "Transfer-Encoding",
    };

    /// <summary>
    /// How the opinions stand to each other: <see cref="BothTake"/>, <see cref="BothRefuse"/>, or the name of the rule by which ours
    /// refuses alone.
    /// </summary>
    /// <exception cref="DifferenceException">They differ, and no rule lets them.</exception>
    public static string Compare(Answer answer, Reading ours, Reading theirs)
    {
        if (ours.Refusal is null && theirs.Refusal is null)
            return Difference(ours, theirs) is { } part ? throw new DifferenceException(answer, ours, theirs, part) : BothTake;
        if (ours.Refusal is null && HasBlankBeforeColon(answer))
            return OursTakesBlanks;
        if (ours.Refusal is null)
            throw new DifferenceException(answer, ours, theirs, "ours takes what .NET refuses");
        if (theirs.Refusal is not null)
            return BothRefuse;
        return RefusalRule.Find(ours.Refusal, answer)?.Name
            ?? throw new DifferenceException(answer, ours, theirs, "ours refuses what .NET takes, by no rule");
    }

    private static string? Difference(Reading ours, Reading theirs)
    {
        if (ours.Status != theirs.Status)
            return "the status";
        if (Text(ours.Fields.OrderBy(f => OfContent.Contains(f.Name))) != Text(theirs.Fields))
            return "the fields";
        if (!ours.Body.AsSpan().SequenceEqual(theirs.Body))
            return "the body";
        return Text(ours.Trailers.Where(t => !NeverTrailers.Contains(t.Name))) == Text(theirs.Trailers) ? null : "the trailers";
    }

    private static bool HasBlankBeforeColon(Answer answer) =>
        answer.Bytes.AsSpan().IndexOf(" :"u8) >= 0 || answer.Bytes.AsSpan().IndexOf("\t:"u8) >= 0;

    /// <summary>Fields of one name stand together in .NET, in their order; the names in the order in which they came first.</summary>
    private static string Text(IEnumerable<(string Name, string Value)> fields)
    {
        var text = new StringBuilder();
        foreach (var group in fields.GroupBy(f => f.Name, StringComparer.OrdinalIgnoreCase))
        {
            text.Append(group.Key.ToLowerInvariant()).Append(": ");
            var values = group.Select(f => f.Value);
            if (Understood.Contains(group.Key))
                values = values
                    .SelectMany(v => v.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
                    .Select(v => v.TrimStart('0'));
            text.AppendJoin('|', values).Append('\n');
        }

        return text.ToString();
    }
}

/// <summary>Two readers differ where they must not.</summary>
internal sealed class DifferenceException(Answer answer, Reading one, Reading other, string what)
    : Exception($"They differ: {what}\n{answer}\none:   {one}\nother: {other}");
