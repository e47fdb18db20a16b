using System.IO.Compression;
using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using System.Text;
using Lintel.Composition.Calls;
using Lintel.Errors;

namespace Lintel.Composition.Answers;

/// <summary>Decodes the text of a service: decompresses it and converts charsets other than UTF-8.</summary>
internal static class AnswerCoding
{
    /// <summary>
    /// The maximum number of content codings: a service has no reason to compress twice, and three codings serve another purpose.
    /// </summary>
    private const int MaxCodings = 2;

    /// <summary>
    /// Decompresses an answer that is compressed although the request did not accept compression. The decompressed bytes count as if they
    /// had been received uncompressed.
    /// </summary>
    /// <returns>The error if it is too large.</returns>
    public static GatewayError? Decompress(CallAnswer answer, CompositionRun run)
    {
        if (answer.ContentEncoding is not { } written)
            return null;
        var codings = written.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (codings.Length > MaxCodings)
            throw new NotSupportedException($"it has {codings.Length} content codings");
        foreach (var coding in codings.Reverse())
        {
            if (!coding.Equals("identity", StringComparison.OrdinalIgnoreCase) && Decompress(answer.Body, coding, run) is { } error)
                return error;
        }

        answer.ContentEncoding = null;
        return null;
    }

    /// <summary>Returns the charset of an answer.</summary>
    /// <param name="text">The answer.</param>
    /// <param name="contentType">The media type, which may name a charset. A byte order mark takes precedence.</param>
    /// <param name="isStrict">Whether bytes that are not valid text are an error; otherwise they become U+FFFD.</param>
    /// <param name="mark">The length of the byte order mark.</param>
    /// <returns><see langword="null"/> for UTF-8.</returns>
    public static Encoding? Charset(ReadOnlySpan<byte> text, string? contentType, bool isStrict, out int mark)
    {
        (mark, var name) = text switch
        {
            [0xEF, 0xBB, 0xBF, ..] => (3, "utf-8"),
            [0xFF, 0xFE, 0, 0, ..] => (4, "utf-32"),
            [0, 0, 0xFE, 0xFF, ..] => (4, "utf-32BE"),
            [0xFF, 0xFE, ..] => (2, "utf-16"),
            [0xFE, 0xFF, ..] => (2, "utf-16BE"),
            _ => (0, Named(contentType)),
        };
        if (
            name is null
            || name.Equals("utf-8", StringComparison.OrdinalIgnoreCase)
            || name.Equals("us-ascii", StringComparison.OrdinalIgnoreCase)
        )
            return null;
        var fallback = isStrict ? DecoderFallback.ExceptionFallback : DecoderFallback.ReplacementFallback;
        try
        {
            return CodePagesEncodingProvider.Instance.GetEncoding(name, EncoderFallback.ReplacementFallback, fallback)
                ?? Encoding.GetEncoding(name, EncoderFallback.ReplacementFallback, fallback);
        }
        catch (ArgumentException)
        {
            throw new NotSupportedException($"unknown charset `{name}`");
        }
    }

    /// <summary>Converts a text to UTF-8 without a byte order mark.</summary>
    public static void ToUtf8(CallAnswer answer, bool isStrict)
    {
        var body = answer.Body;
        var charset = Charset(body.Span, answer.ContentType, isStrict, out var mark);
        if (charset is not null)
            body.Replace(Encoding.UTF8.GetBytes(charset.GetString(body.Span[mark..])));
        else if (mark > 0)
            body.Replace(body.Span[mark..].ToArray());
    }

    private static string? Named(string? contentType) =>
        contentType?.Contains("charset", StringComparison.OrdinalIgnoreCase) == true
        && !contentType.EndsWith("utf-8", StringComparison.OrdinalIgnoreCase)
        && MediaTypeHeaderValue.TryParse(contentType, out var type)
            ? type.CharSet?.Trim('"')
            : null;

    private static GatewayError? Decompress(AnswerBody body, string coding, CompositionRun run)
    {
        var limits = run.Plan.Limits;
        var decoded = new AnswerBody();
        decoded.TakeFrom(run.Parts.Memory);
        try
        {
            using var stream = Open(body.Memory, coding);
            for (int count; (count = stream.Read(decoded.Room().Span)) > 0; )
            {
                decoded.Advance(count);
                if (decoded.Length > limits.Call)
                    return TooLarge(limits.Call);
                if (!run.Spent.TryCountBytes(count))
                    return TooLarge(limits.Total);
            }

            body.Replace(decoded.Span);
            return null;
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidDataException($"it is not valid `{coding}` data", e);
        }
        finally
        {
            decoded.Release();
        }
    }

    private static Stream Open(ReadOnlyMemory<byte> bytes, string coding)
    {
        MemoryMarshal.TryGetArray(bytes, out var array);
        var source = new MemoryStream(array.Array!, array.Offset, array.Count, writable: false);
        return coding.ToLowerInvariant() switch
        {
            "gzip" or "x-gzip" => new GZipStream(source, CompressionMode.Decompress),
            "br" => new BrotliStream(source, CompressionMode.Decompress),

            // RFC 9110 section 8.4.1.2: zlib's format; some servers send the bare stream.
            "deflate" when bytes.Span is [var first, var second, ..] && (first & 0xF) == 8 && ((first << 8) | second) % 31 == 0 =>
                new ZLibStream(source, CompressionMode.Decompress),
            "deflate" => new DeflateStream(source, CompressionMode.Decompress),
            _ => throw new NotSupportedException($"it uses the content coding `{coding}`, which was not requested"),
        };
    }

    private static GatewayError TooLarge(long limit) => new(GatewayErrorKind.AnswerTooLarge, $"the limit is {limit} bytes");
}
