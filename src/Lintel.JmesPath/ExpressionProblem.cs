namespace Lintel.JmesPath;

/// <summary>Why a text is no expression.</summary>
/// <param name="Message">A short description of the problem, without a full stop.</param>
/// <param name="Offset">Where: the 0-based index of a character of the text; its length where something is missing at the end.</param>
/// <param name="Hint">What to write instead, where that can be guessed.</param>
internal sealed record ExpressionProblem(string Message, int Offset, string? Hint = null);
