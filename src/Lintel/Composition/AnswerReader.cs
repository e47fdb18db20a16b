using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using System.Xml;
using System.Xml.Linq;
using Lintel.Config;
using Lintel.Errors;
using Lintel.JmesPath;
using Newtonsoft.Json;
using JsonException = System.Text.Json.JsonException;

namespace Lintel.Composition;

/// <summary>Makes JSON of what a service answered, and sees to it that it is JSON.</summary>
internal static class AnswerReader
{
    /// <summary>Twice System.Text.Json's own default; deeper documents are not data.</summary>
    public const int MaxDepth = 128;

    private static readonly JsonDocumentOptions DocumentOptions = new() { MaxDepth = MaxDepth };

    private static readonly XmlReaderSettings XmlSettings = new() { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, IgnoreWhitespace = true, IgnoreComments = true, IgnoreProcessingInstructions = true };

    /// <summary>Puts JSON text in the place of whatever the answer came as; what is wrong with it is kept for who reads it.</summary>
    public static void Normalize(CallAnswer answer, AnswerFormat format)
    {
        if (answer.IsNormalized || answer.Body.Length == 0)
            return;
        try
        {
            if (answer.ContentEncoding is { } encoding && !encoding.Equals("identity", StringComparison.OrdinalIgnoreCase))
                throw new NotSupportedException($"it is encoded with `{encoding}`, which nobody asked for");
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

    /// <summary>Reads an answer that was normalized.</summary>
    /// <param name="answer">A success.</param>
    /// <param name="documents">Where the document goes, if it has to be parsed; <see langword="null"/> where the text is enough.</param>
    /// <param name="part">What it says.</param>
    /// <returns>Why it cannot be used.</returns>
    public static GatewayError? Read(CallAnswer answer, List<JsonDocument>? documents, out JsonPart part)
    {
        part = JsonPart.Null;
        if (answer.Problem is { } problem)
            return problem;
        if (answer.Body.Length == 0)
            return null;
        try
        {
            part = documents is null ? JsonPart.OfText(Check(answer.Body)) : JsonPart.OfDocument(answer.Body.Memory, Parse(answer.Body, documents));
            return null;
        }
        catch (Exception e) when (IsMalformed(e))
        {
            return Malformed(e);
        }
    }

    /// <summary>Reads an answer, and takes the part of it that is the call's value.</summary>
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

    /// <summary>Parses a body that is JSON; it must stay as long as the document is used, and the document's memory counts as its own.</summary>
    /// <exception cref="InsufficientMemoryException">The budget has no more.</exception>
    public static Value Parse(AnswerBody body, List<JsonDocument> owner)
    {
        body.HoldBeside(DocumentSize(body.Span));
        return Parse(body.Memory, owner);
    }

    /// <summary>Parses JSON; the text must stay as long as the document is used.</summary>
    public static Value Parse(ReadOnlyMemory<byte> text, List<JsonDocument> owner)
    {
        CheckEncoding(text.Span);
        var document = JsonDocument.Parse(text, DocumentOptions);
        lock (owner)
            owner.Add(document);
        return new Value(document.RootElement);
    }

    /// <summary>At most what System.Text.Json keeps for a text beside it: 12 bytes for each value, name, beginning and end, in an array that grows by doubling. What stands in strings is counted too.</summary>
    private static long DocumentSize(ReadOnlySpan<byte> text)
    {
        var rows = 1L + text.Count((byte)',') + text.Count((byte)':') + (2L * (text.Count((byte)'{') + text.Count((byte)'[')));
        return 2 * 12 * rows;
    }

    /// <summary>How many times an answer's length making JSON of it takes for a while: measured with what is densest, <c>&lt;a/></c> for XML.</summary>
    private static int Workspace(AnswerFormat format) => format switch
    {
        AnswerFormat.Xml => 40,
        AnswerFormat.Json => 0,
        _ => 3,
    };

    private static bool IsMalformed(Exception e) => e is JsonException or XmlException or NotSupportedException or JsonSerializationException;

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
            _ => throw new NotSupportedException($"`{media}` is neither JSON, NDJSON, XML nor text"),
        };
    }

    private static void Convert(CallAnswer answer, AnswerFormat format)
    {
        var body = answer.Body;
        switch (format)
        {
            case AnswerFormat.Ndjson:
                body.Replace(ListOf(body.Span));
                break;
            case AnswerFormat.Xml:
                body.Replace(Encoding.UTF8.GetBytes(OfXml(body.Memory)));
                break;
            case AnswerFormat.Text:
                body.Replace([(byte)'"', .. JsonEncodedText.Encode(TextOf(answer), JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes, (byte)'"']);
                break;
        }
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "The converter for XML nodes walks the node; it reflects on nothing of ours.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "As above.")]
    private static string OfXml(ReadOnlyMemory<byte> text)
    {
        var bytes = text.ToArray();
        using (var scan = XmlReader.Create(new MemoryStream(bytes, writable: false), XmlSettings))
        {
            // What converts it descends by recursion: a service's answer must not exhaust the stack.
            while (scan.Read())
            {
                if (scan.Depth > MaxDepth)
                    throw new XmlException($"elements are nested more than {MaxDepth} deep");
            }
        }

        using var reader = XmlReader.Create(new MemoryStream(bytes, writable: false), XmlSettings);
        return JsonConvert.SerializeXNode(XElement.Load(reader), Newtonsoft.Json.Formatting.None); // the root alone: the declaration says nothing of the content
    }

    private static string TextOf(CallAnswer answer)
    {
        var charset = MediaTypeHeaderValue.TryParse(answer.ContentType, out var type) ? type.CharSet?.Trim('"') : null;
        try
        {
            return (charset is null ? Encoding.UTF8 : Encoding.GetEncoding(charset)).GetString(answer.Body.Span);
        }
        catch (ArgumentException)
        {
            throw new NotSupportedException($"the charset `{charset}` is not known");
        }
    }

    /// <summary>Checks the text where nobody looks into it: far cheaper than a document.</summary>
    private static ReadOnlyMemory<byte> Check(AnswerBody body)
    {
        CheckEncoding(body.Span);
        var reader = new Utf8JsonReader(body.Span, new JsonReaderOptions { MaxDepth = MaxDepth });
        while (reader.Read())
        {
        }

        return body.Memory;
    }

    /// <summary>The parser does not look into strings; a client's would, and refuse the answer as a whole.</summary>
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
