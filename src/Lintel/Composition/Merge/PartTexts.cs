using Lintel.Composition.Answers;
using Lintel.Composition.Calls;
using Lintel.Errors;

namespace Lintel.Composition.Merge;

/// <summary>The calls' answers as JSON text, for code that builds an answer from them.</summary>
internal sealed class PartTexts(CompositionRun run)
{
    /// <summary>Why a text is not available.</summary>
    public GatewayError? Problem { get; private set; }

    /// <summary>Returns a call's text: as the service wrote it or, if lists were joined or batches reassembled, serialized again.</summary>
    /// <returns><see langword="null"/> if there is no such call.</returns>
    public ReadOnlyMemory<byte>? Text(string call)
    {
        var result = Array.Find(run.Results, r => r.Call.Name == call);
        if (result is null)
            return null;
        if (result.Part.IsText)
            return result.Part.Text;
        if (!result.Part.TryMeasure(Math.Min(run.Plan.Limits.Total, Array.MaxLength), out var length))
        {
            Problem = run.Spent.TooLong();
            throw new InvalidOperationException($"the value of the call `{call}` exceeds the size limit of the composition");
        }

        var text = NewText();
        text.GetMemory((int)Math.Max(1, length));
        result.Part.WriteTo(text);
        result.Part = JsonPart.OfDocument(text.Memory, result.Part.Value);
        return text.Memory;
    }

    /// <summary>Creates a buffer for a text that is valid as long as the answer.</summary>
    public AnswerBody NewText()
    {
        var text = new AnswerBody();
        run.Track(text);
        return text;
    }
}
