using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using System.Xml;
using Lintel.Composition.Calls;
using Lintel.Composition.Merge;
using Lintel.Config;
using Lintel.Errors;
using Lintel.JmesPath;

namespace Lintel.Composition.Answers;

/// <summary>Converts a service's answer to JSON, and verifies that it is JSON.</summary>
internal static class AnswerReader
{
    /// <summary>The maximum depth: twice System.Text.Json's own default; deeper documents are not data.</summary>
    public const int MaxDepth = 128;

    private static readonly JsonDocumentOptions DocumentOptions = new() { MaxDepth = MaxDepth };
    private static readonly JsonDocumentOptions JudgedOptions = new() { MaxDepth = MaxDepth, AllowDuplicateProperties = false };

    /// <summary>Replaces the answer, whatever its format, with JSON text; an error is kept for the reader of the answer.</summary>
    public static void Normalize(CallAnswer answer, AnswerFormat format, CompositionRun run)
    {
        if (answer.IsNormalized || answer.Body.Length == 0)
            return;
        try
        {
            if (AnswerCoding.Decompress(answer, run) is { } tooLarge)
            {
                answer.Problem = tooLarge;
                return;
            }

            var known = format == AnswerFormat.Auto ? FormatOf(answer.ContentType) : format;
            answer.Body.HoldBeside(Workspace(known) * answer.Body.Length);
            Convert(answer, known);
            answer.IsNormalized = true;
        }
        catch (OutOfMemoryException e)
        {
            answer.Problem = GatewayError.OfDefect(e);
        }
        catch (Exception e) when (IsMalformed(e))
        {
            answer.Problem = Malformed(e);
        }
    }

    /// <summary>Reads a normalized answer.</summary>
    /// <param name="answer">A successful answer.</param>
    /// <param name="documents">Receives the document, if it has to be parsed; <see langword="null"/> if the text is sufficient.</param>
    /// <param name="part">The content.</param>
    /// <returns>The error if it cannot be used.</returns>
    public static GatewayError? Read(CallAnswer answer, List<JsonDocument>? documents, out JsonPart part)
    {
        part = JsonPart.Null;
        if (answer.Problem is { } problem)
            return problem;
        if (answer.Body.Length == 0)
            return null;
        try
        {
            part = documents is null
                ? JsonPart.OfText(Check(answer.Body))
                : JsonPart.OfDocument(answer.Body.Memory, Parse(answer.Body, documents));
            return null;
        }
        catch (Exception e) when (IsMalformed(e))
        {
            return Malformed(e);
        }
    }

    /// <summary>Reads an answer, and selects the part of it that is the call's value.</summary>
    public static GatewayError? Read(CallAnswer answer, List<JsonDocument>? documents, Expression? select, out JsonPart part)
    {
        var error = Read(answer, documents, out part);
        if (error is not null || select is null || answer.Body.Length == 0)
            return error;
        if (!select.TryEvaluate(part.Value, out var value, out var problem))
            return new GatewayError(GatewayErrorKind.ExpressionFailed, problem);
        part = JsonPart.Of(value);
        return null;
    }

    /// <summary>
    /// Parses a JSON body, which must stay valid as long as the document is used; the document's memory counts as part of it.
    /// </summary>
    /// <exception cref="InsufficientMemoryException">The budget is exhausted.</exception>
    public static Value Parse(AnswerBody body, List<JsonDocument> owner, bool isJudged = false)
    {
        body.HoldBeside(DocumentSize(body.Span));
        return Parse(body.Memory, owner, isJudged);
    }

    /// <summary>
    /// Parses untrusted JSON that is validated and then used by others, as it is: names that occur twice are rejected, because readers
    /// differ in which one they use. The body must stay valid as long as the document is used.
    /// </summary>
    /// <exception cref="InsufficientMemoryException">The budget is exhausted.</exception>
    /// <exception cref="JsonException">It is not JSON.</exception>
    public static JsonDocument ParseJudged(AnswerBody body)
    {
        body.HoldBeside(DocumentSize(body.Span));
        CheckEncoding(body.Span);
        return JsonDocument.Parse(body.Memory, JudgedOptions);
    }

    /// <summary>Parses JSON; the text must stay valid as long as the document is used.</summary>
    /// <param name="text">The text.</param>
    /// <param name="owner">Receives the document.</param>
    /// <param name="isJudged">Whether the text is untrusted input that is validated: its author could have one of two properties of the
    /// same name validated and the other one used, so duplicate names are rejected.</param>
    public static Value Parse(ReadOnlyMemory<byte> text, List<JsonDocument> owner, bool isJudged = false)
    {
        CheckEncoding(text.Span);
        var document = JsonDocument.Parse(text, isJudged ? JudgedOptions : DocumentOptions);
        lock (owner)
            owner.Add(document);
        return new Value(document.RootElement);
    }

    /// <summary>
    /// Returns the maximum memory that System.Text.Json holds for a text in addition to it: 12 bytes for each value, name, start and end,
    /// in an array that grows by doubling. Characters inside strings are counted too.
    /// </summary>
    private static long DocumentSize(ReadOnlySpan<byte> text)
    {
        var rows = 1L + text.Count((byte)',') + text.Count((byte)':') + (2L * (text.Count((byte)'{') + text.Count((byte)'[')));
        return 2 * 12 * rows;
    }

    /// <summary>
    /// Returns the temporary memory of the conversion to JSON as a multiple of the answer's length: measured with the densest input,
    /// <c>&lt;a/></c> for XML.
    /// </summary>
    private static int Workspace(AnswerFormat format) =>
        format switch
        {
            AnswerFormat.Xml => 24,
            AnswerFormat.Json => 0,
            _ => 3,
        };

    private static bool IsMalformed(Exception e) =>
        e is JsonException or XmlException or NotSupportedException or InvalidDataException or DecoderFallbackException;

    private static GatewayError Malformed(Exception cause) => new(GatewayErrorKind.MalformedAnswer, Cause: cause);

    private static AnswerFormat FormatOf(string? contentType)
    {
        if (contentType is null || contentType.Equals("application/json", StringComparison.OrdinalIgnoreCase))
            return AnswerFormat.Json;
        var end = contentType.IndexOf(';');
        var media = (end < 0 ? contentType : contentType[..end]).Trim().ToLowerInvariant();
        return media switch
        {
            "application/json" or "text/json" => AnswerFormat.Json,
            "application/x-ndjson" or "application/ndjson" or "application/jsonl" or "application/x-jsonlines" => AnswerFormat.Ndjson,
            "application/xml" or "text/xml" => AnswerFormat.Xml,
            _ when media.EndsWith("+json", StringComparison.Ordinal) => AnswerFormat.Json,
            _ when media.EndsWith("+xml", StringComparison.Ordinal) => AnswerFormat.Xml,
            _ when media.StartsWith("text/", StringComparison.Ordinal) => AnswerFormat.Text,
            _ => throw new NotSupportedException($"unsupported media type `{media}`: it is not JSON, NDJSON, XML or text"),
        };
    }

    private static void Convert(CallAnswer answer, AnswerFormat format)
    {
        if (format == AnswerFormat.Xml)
        {
            ConvertXml(answer);
            return;
        }

        AnswerCoding.ToUtf8(answer, isStrict: format != AnswerFormat.Text);
        if (format == AnswerFormat.Ndjson)
            answer.Body.Replace(ListOf(answer.Body.Span));
        else if (format == AnswerFormat.Text)
            answer.Body.Replace(Quoted(answer.Body.Span));
    }

    private static void ConvertXml(CallAnswer answer)
    {
        var json = new AnswerBody();
        try
        {
            XmlAnswer.Convert(answer.Body.Memory, AnswerCoding.Charset(answer.Body.Span, answer.ContentType, isStrict: true, out _), json);
            answer.Body.Replace(json.Span);
        }
        finally
        {
            json.Release();
        }
    }

    private static ReadOnlySpan<byte> Quoted(ReadOnlySpan<byte> text)
    {
        var quoted = new ArrayBufferWriter<byte>(text.Length + 2);
        var json = new JsonText(quoted, long.MaxValue);
        Escapes.Write(text, ref json);
        json.Flush();
        return quoted.WrittenSpan;
    }

    /// <summary>Checks a text that no expression looks into: far cheaper than building a document.</summary>
    private static ReadOnlyMemory<byte> Check(AnswerBody body)
    {
        CheckEncoding(body.Span);
        var reader = new Utf8JsonReader(body.Span, new JsonReaderOptions { MaxDepth = MaxDepth });
        while (reader.Read()) { }

        return body.Memory;
    }

    /// <summary>
    /// Checks the encoding: the parser does not look into strings, but a client's parser would, and would reject the whole answer.
    /// </summary>
    private static void CheckEncoding(ReadOnlySpan<byte> text)
    {
        if (!Utf8.IsValid(text))
            throw new JsonException("the text is not valid UTF-8");
    }

    private static ReadOnlySpan<byte> ListOf(ReadOnlySpan<byte> lines)
    {
        var list = new ArrayBufferWriter<byte>(lines.Length + 2);
        list.Write("["u8);
        var reader = new Utf8JsonReader(lines, new JsonReaderOptions { MaxDepth = MaxDepth, AllowMultipleValues = true });
        while (reader.Read())
        {
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (list.WrittenCount > 1)
                list.Write(","u8);
            list.Write(lines[start..(int)reader.BytesConsumed]);
        }

        list.Write("]"u8);
        return list.WrittenSpan;
    }
}
