using System.Globalization;
using System.IO.Hashing;
using System.Net.Http.Headers;
using System.Text;
using Lintel.Carriers;
using Lintel.Composition.Answers;
using Lintel.Composition.Calls;
using Lintel.Composition.Plan;
using Microsoft.AspNetCore.Http;

namespace Lintel.Composition.Merge;

/// <summary>Computes the caching headers of a composed answer: never more permissive than all of its parts.</summary>
internal static class CompositeCaching
{
    /// <summary>Sets <c>Cache-Control</c>, <c>Vary</c> and <c>ETag</c>.</summary>
    public static void Describe(CompositionRun run, AnswerShape shape, IHeaderDictionary headers)
    {
        if (DescribeParts(run, headers, Array.TrueForAll(run.Results, r => r.IsWhole)) && Tag(run, shape) is { } tag)
            headers.ETag = tag;
    }

    /// <summary>Sets the same fields for a service's own answer that passes through: its choice depends on the parts before it.</summary>
    public static void DescribePassed(CompositionRun run, CallResult passed, CallAnswer answer, IHeaderDictionary headers) =>
        DescribeParts(run, headers, answer.CacheControl is not null && Array.TrueForAll(run.Results, r => r == passed || r.Error is null));

    /// <returns>False if no cache may store the answer.</returns>
    private static bool DescribeParts(CompositionRun run, IHeaderDictionary headers, bool isWhole)
    {
        var plan = run.Plan;
        if (!isWhole || Array.Exists(plan.Calls, c => !c.Request.Config.IsSafe))
        {
            headers.CacheControl = "no-store";
            return false;
        }

        var names = new List<string>(plan.VaryBy);
        var isForOne =
            AddVary(run, names)
            || plan.DependsOnCaller
            || run.Exchange.Caller is not null // a credential in any field: RFC 9111 section 3.5 knows only Authorization
            || names.Contains("Cookie", StringComparer.OrdinalIgnoreCase);
        if (isForOne || Parts(run).Any(a => a.CacheControl is not null || a.Expires is not null))
            headers.CacheControl = Combine(run, isForOne, run.Parts.Time.GetUtcNow());
        if (names.Count > 0)
            headers.Vary = names.Contains("*") ? "*" : string.Join(", ", names);
        return true;
    }

    /// <summary>Whether the client already has this answer (RFC 9110 section 13.1.2: weak comparison).</summary>
    public static bool IsKnown(ClientRequest request, string? tag)
    {
        if (tag is null || !(HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method)))
            return false; // for other methods the field is a condition, and 304 is not allowed (RFC 9110 section 13.1.2)
        foreach (var line in request.Headers.IfNoneMatch)
        {
            foreach (var item in (line ?? "").Split(','))
            {
                var known = item.Trim();
                if (known == "*" || (known.StartsWith("W/", StringComparison.Ordinal) ? known : "W/" + known) == tag)
                    return true;
            }
        }

        return false;
    }

    /// <summary>Returns all answers, and the redirects that led to them.</summary>
    private static IEnumerable<CallAnswer> Parts(CompositionRun run)
    {
        foreach (var result in run.Results)
        {
            foreach (var answer in result.Answers)
            {
                for (var part = answer; part is not null; part = part.RedirectedBy)
                    yield return part;
            }
        }
    }

    private static string Combine(CompositionRun run, bool isForOne, DateTimeOffset now)
    {
        var (isPublic, isPrivate, asks, insists) = (!isForOne, isForOne, false, false);
        var (fresh, shared) = (TimeSpan.MaxValue, TimeSpan.MaxValue);
        var hasShared = false;
        foreach (var answer in Parts(run))
        {
            if (!CacheControlHeaderValue.TryParse(answer.CacheControl ?? "", out var control))
                return "no-store"; // an invalid field may have said so
            control ??= new CacheControlHeaderValue();
            if (control.NoStore)
                return "no-store";
            asks |= control.NoCache;
            insists |= control.MustRevalidate || control.ProxyRevalidate;
            isPublic &= control.Public;
            isPrivate |= control.Private;
            var left = Freshness(answer, control, now);
            fresh = left < fresh ? left : fresh;
            hasShared |= control.SharedMaxAge is not null;
            var sharedLeft = control.SharedMaxAge is { } s && !control.NoCache ? Less(s, AgeOf(answer)) : left;
            shared = sharedLeft < shared ? sharedLeft : shared;
        }

        if (fresh == TimeSpan.MaxValue)
            fresh = TimeSpan.Zero; // no parts at all
        var text = new StringBuilder(
            isPrivate ? "private, "
            : isPublic ? "public, "
            : ""
        );
        text.Append("max-age=").Append(((long)fresh.TotalSeconds).ToString(CultureInfo.InvariantCulture));
        if (asks)
            text.Append(", no-cache");
        if (insists)
            text.Append(", must-revalidate");
        if (hasShared && !isPrivate)
            text.Append(", s-maxage=").Append(((long)shared.TotalSeconds).ToString(CultureInfo.InvariantCulture));
        return text.ToString();
    }

    /// <summary>RFC 9111 section 4.2; an answer without freshness information has no freshness: the gateway uses no heuristics.</summary>
    public static TimeSpan Freshness(CallAnswer answer, CacheControlHeaderValue control, DateTimeOffset now)
    {
        if (control.NoCache)
            return TimeSpan.Zero;
        if (control.MaxAge is { } age)
            return Less(age, AgeOf(answer));
        if (answer.Expires is { } text && TryParseDate(text, out var expires))
            return Less(expires - (answer.Date is { } date && TryParseDate(date, out var sent) ? sent : now), AgeOf(answer));
        return TimeSpan.Zero;
    }

    private static TimeSpan AgeOf(CallAnswer answer) =>
        long.TryParse(answer.Age, NumberStyles.None, CultureInfo.InvariantCulture, out var age) && age < int.MaxValue
            ? TimeSpan.FromSeconds(age)
            : TimeSpan.Zero;

    private static TimeSpan Less(TimeSpan time, TimeSpan spent) => time > spent ? time - spent : TimeSpan.Zero;

    private static bool TryParseDate(string text, out DateTimeOffset date) =>
        DateTimeOffset.TryParseExact(text, "r", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out date);

    /// <summary>
    /// Adds the fields that the parts vary by, limited to those of the client that calls receive: only they, and what the plan itself
    /// reads, can differ between clients.
    /// </summary>
    /// <returns>Whether a part varies by what the gateway adds about the client, which no client field expresses.</returns>
    private static bool AddVary(CompositionRun run, List<string> names)
    {
        var isForOne = false;
        foreach (var part in Parts(run))
        {
            foreach (var item in (part.Vary ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                isForOne |= CallFields.IsDerivedFromPeer(item);
                if (
                    (item == "*" || run.Plan.ForwardHeaders.Contains(item, StringComparer.OrdinalIgnoreCase))
                    && !names.Contains(item, StringComparer.OrdinalIgnoreCase)
                )
                    names.Add(item);
            }
        }

        return isForOne;
    }

    /// <summary>Returns a weak tag of the parts' validators; none if a part has none.</summary>
    private static string? Tag(CompositionRun run, AnswerShape shape)
    {
        StringBuilder? all = null;
        foreach (var result in run.Results)
        {
            foreach (var answer in result.Answers)
            {
                if ((answer.ETag ?? answer.LastModified) is not { } validator)
                    return null;
                (all ??= new StringBuilder())
                    .Append(result.Call.Index)
                    .Append('=')
                    .Append(validator)
                    .Append(answer.RedirectedBy?.Location)
                    .Append('\n');
            }
        }

        if (all is null)
            return null;
        all.Append(shape.Client).Append('\n').Append(run.Plan.Fingerprint);
        return "W/\"" + Convert.ToHexStringLower(XxHash128.Hash(Encoding.UTF8.GetBytes(all.ToString()))) + "\"";
    }
}
