using System.Buffers;
using System.Globalization;
using System.Text;

namespace Lintel.Routing;

/// <summary>The path of a request as set by another host's middleware.</summary>
/// <param name="PathBase">The part that the middleware has moved off the path; decoded.</param>
/// <param name="Path">The remaining path; decoded.</param>
/// <param name="Query">The query with its question mark.</param>
internal readonly record struct HostedPath(string PathBase, string Path, string Query);

/// <summary>
/// The target of a request that has passed through another host's middleware. The path that the middleware saw, or set, is the one that is
/// routed and sent.
/// </summary>
/// <remarks>
/// Guards of an application evaluate <c>HttpRequest.Path</c>, which the server has decoded, and in which it keeps some spellings as
/// received (<c>//</c>). The normalized path therefore either decodes to exactly that path, or is built from it. Anything else could pass a
/// guard and become another path afterwards.
/// </remarks>
internal static class HostedTarget
{
    private const string TwoReadings = "the path is ambiguous";

    /// <summary>Characters that are not escaped; all others are.</summary>
    private static readonly SearchValues<char> Plain = SearchValues.Create(
        "/-._~!$&'()*+,;=:@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    );

    /// <summary>Reads path and query below the request's base path.</summary>
    /// <param name="raw">The target as it was received; empty where the server does not provide it.</param>
    /// <param name="seen">The path that the application's middleware has seen last.</param>
    /// <param name="isChanged">Whether that middleware may have changed the path. A path that is unchanged and still differs from the
    /// received one has two readings.</param>
    /// <param name="target">The normalized target.</param>
    /// <param name="problem">Why it is refused, in words fit for the client.</param>
    public static bool TryRead(string raw, in HostedPath seen, bool isChanged, out RequestTarget target, out string? problem)
    {
        target = default;
        problem = null;
        if (raw.Length > 0 && !RequestTarget.TryParse(raw, out target, out problem))
            return false;
        var (pathBase, path, query) = seen;
        string? rewritten;
        var received = target.Unmerged ?? target.Path;
        if (raw.Length > 0 && IsSamePath(received, pathBase, path, out var start))
        {
            if (start == 0 && target.Query == query)
                return true; // unchanged: nearly every request
            rewritten = received[start..];
        }
        else
        {
            rewritten = isChanged || raw.Length == 0 ? Escape(path) : null;
        }

        if (rewritten is "")
            rewritten = "/";
        if (rewritten is not null && !RequestTarget.TryParse(rewritten + query, out target, out problem))
            return false;
        if (rewritten is not null && (target.Unmerged ?? target.Path) == rewritten)
            return true;
        problem = TwoReadings;
        return false;
    }

    /// <summary>
    /// Whether the path that is sent, after its route was found, is still the one that the application saw: empty segments remain only
    /// where the route keeps them.
    /// </summary>
    public static bool IsKept(in RequestTarget target, out string? problem)
    {
        problem = TwoReadings;
        return target.Unmerged is null || target.Unmerged == target.Path;
    }

    /// <summary>Whether a normalized path, decoded as servers do, equals the base followed by the path.</summary>
    /// <param name="normal">The normalized path.</param>
    /// <param name="pathBase">The part that the application has moved off the path.</param>
    /// <param name="path">The remaining path.</param>
    /// <param name="start">Where the remaining path begins in the normalized path.</param>
    private static bool IsSamePath(string normal, string pathBase, string path, out int start)
    {
        start = pathBase.Length;
        if (!normal.Contains('%', StringComparison.Ordinal))
            return normal.Length == pathBase.Length + path.Length
                && normal.StartsWith(pathBase, StringComparison.Ordinal)
                && normal.AsSpan(start).SequenceEqual(path);
        if (!AreEqualDecoded(Decode(normal), pathBase + path))
            return false;

        // The base must end at a segment boundary, and slashes are the same in both.
        start = 0;
        for (var left = pathBase.AsSpan().Count('/'); left >= 0 && start < normal.Length; start++)
        {
            if (normal[start] == '/' && left-- == 0)
                break;
        }

        return true;
    }

    private static bool AreEqualDecoded(string decoded, string seen) =>
        decoded.Replace("%2f", "%2F", StringComparison.Ordinal) == seen.Replace("%2f", "%2F", StringComparison.Ordinal);

    /// <summary>Decodes as Kestrel does: everything except an escaped slash.</summary>
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
    /// Escapes a decoded path. A percent sign is a literal one, unless it is part of an escaped slash that was not decoded.
    /// </summary>
    /// <returns><see langword="null"/> if the text is not valid Unicode.</returns>
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
