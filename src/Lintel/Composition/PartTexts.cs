namespace Lintel.Composition;

/// <summary>The calls' answers as JSON text, for code that makes an answer of them.</summary>
internal sealed class PartTexts(CallRunner runner)
{
    /// <summary>A call's text: as the service wrote it, or, where lists were joined or batches put together, written once more.</summary>
    /// <returns><see langword="null"/> where there is no such call.</returns>
    public ReadOnlyMemory<byte>? Text(string call)
    {
        var result = Array.Find(runner.Results, r => r.Call.Name == call);
        if (result is null)
            return null;
        if (result.Part.IsText)
            return result.Part.Text;
        var text = new AnswerBody();
        runner.Own(text);
        result.Part.WriteTo(text);
        return text.Memory;
    }
}
