using System.Buffers;
using System.Globalization;
using System.Text;

namespace Lintel.Routing;

/// <summary>Where another host's middleware says that a request goes.</summary>
/// <param name="PathBase">What it has taken off the path; decoded.</param>
/// <param name="Path">What it has left; decoded.</param>
/// <param name="Query">The query with its question mark.</param>
internal readonly record struct HostedPath(string PathBase, string Path, string Query);

/// <summary>
/// The target of a request that another host's middleware has seen: what that middleware saw, or made of it, is what is routed and sent.
/// </summary>
/// <remarks>
/// Guards of an application look at <c>HttpRequest.Path</c>, which the server has decoded, and in which it leaves some spellings as
/// they came (<c>//</c>). The normalised path is therefore either one that decodes to exactly that, or made of it. Anything else could pass
/// a guard and become another path afterwards.
/// </remarks>
internal static class HostedTarget
{
    private const string TwoReadings = "the path is ambiguous";

    /// <summary>Characters that stand for themselves; the rest is escaped.</summary>
    private static readonly SearchValues<char> Plain = SearchValues.Create(
        "/-._~!$&'()*+,;=:@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    );

    /// <summary>Reads path and query below the request's base path.</summary>
    /// <param name="raw">The target as it was received; empty where the server does not tell.</param>
    /// <param name="seen">What the application's middleware has seen last.</param>
    /// <param name="isChanged">Whether that middleware may have changed the path: an unchanged one that is not what was received has two
    /// readings.</param>
    /// <param name="target">The normalised target.</param>
    /// <param name="problem">Why it is refused, in words fit for the client.</param>
    public static bool TryRead(string raw, in HostedPath seen, bool isChanged, out RequestTarget target, out string? problem)
    {
        target = default;
        problem = null;
        if (raw.Length > 0 && !RequestTarget.TryParse(raw, out target, out problem))
            return false;
        var (pathBase, path, query) = seen;
        string? spelled;
        var received = target.Unmerged ?? target.Path;
        if (raw.Length > 0 && Spells(received, pathBase, path, out var start))
        {
            if (start == 0 && target.Query == query)
                return true; // nobody has changed anything: nearly every request
            spelled = received[start..];
        }
        else
        {
            spelled = isChanged || raw.Length == 0 ? Escape(path) : null;
        }

        if (spelled is "")
            spelled = "/";
        if (spelled is not null && !RequestTarget.TryParse(spelled + query, out target, out problem))
            return false;
        if (spelled is not null && (target.Unmerged ?? target.Path) == spelled)
            return true;
        problem = TwoReadings;
        return false;
    }

    /// <summary>
    /// Whether the path that is sent, after its route was found, is still the one that the application saw: empty segments go where the
    /// route keeps them, and nowhere else.
    /// </summary>
    public static bool IsKept(in RequestTarget target, out string? problem)
    {
        problem = TwoReadings;
        return target.Unmerged is null || target.Unmerged == target.Path;
    }

    /// <summary>Whether a normalised path, once decoded as servers do it, is this base and this path.</summary>
    /// <param name="normal">The normalised path.</param>
    /// <param name="pathBase">What the application has taken off.</param>
    /// <param name="path">What it has left.</param>
    /// <param name="start">Where the rest begins in the normalised path.</param>
    private static bool Spells(string normal, string pathBase, string path, out int start)
    {
        start = pathBase.Length;
        if (!normal.Contains('%', StringComparison.Ordinal))
            return normal.Length == pathBase.Length + path.Length
                && normal.StartsWith(pathBase, StringComparison.Ordinal)
                && normal.AsSpan(start).SequenceEqual(path);
        if (!Alike(Decode(normal), pathBase + path))
            return false;

        // A base ends where a segment does, and slashes are the same in both.
        start = 0;
        for (var left = pathBase.AsSpan().Count('/'); left >= 0 && start < normal.Length; start++)
        {
            if (normal[start] == '/' && left-- == 0)
                break;
        }

        return true;
    }

    private static bool Alike(string decoded, string seen) =>
        decoded.Replace("%2f", "%2F", StringComparison.Ordinal) == seen.Replace("%2f", "%2F", StringComparison.Ordinal);

    /// <summary>As Kestrel decodes: everything but an escaped slash.</summary>
    private static string Decode(string normal)
    {
        var bytes = new ArrayBufferWriter<byte>(normal.Length);
        for (var i = 0; i < normal.Length; i++)
        {
            if (normal[i] == '%' && !normal.AsSpan(i).StartsWith("%2F"))
            {
                bytes.Write([byte.Parse(normal.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)]);
                i += 2;
            }
            else
            {
                bytes.Write([(byte)normal[i]]);
            }
        }

        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    /// <summary>
    /// The way back from a decoded path. A percent sign stands for itself, but where it has been left of an escaped slash.
    /// </summary>
    /// <returns><see langword="null"/> where the text is no Unicode.</returns>
    private static string? Escape(string path)
    {
        if (!path.AsSpan().ContainsAnyExcept(Plain))
            return path;
        var result = new StringBuilder(path.Length + 16);
        Span<byte> utf8 = stackalloc byte[4];
        for (var i = 0; i < path.Length; )
        {
            if (path[i] == '%' && path.AsSpan(i).StartsWith("%2F", StringComparison.OrdinalIgnoreCase))
            {
                result.Append("%2F");
                i += 3;
                continue;
            }

            if (Rune.DecodeFromUtf16(path.AsSpan(i), out var rune, out var length) != OperationStatus.Done)
                return null;
            i += length;
            if (rune.IsAscii && Plain.Contains((char)rune.Value))
            {
                result.Append((char)rune.Value);
                continue;
            }

            foreach (var value in utf8[..rune.EncodeToUtf8(utf8)])
                result.Append('%').Append(value.ToString("X2", CultureInfo.InvariantCulture));
        }

        return result.ToString();
    }
}
