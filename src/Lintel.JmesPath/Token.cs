namespace Lintel.JmesPath;

/// <summary>The words of the language. What a parser may do after each is in <see cref="Parser"/>.</summary>
internal enum TokenKind
{
    End,
    Identifier,
    QuotedIdentifier,
    Number,

    /// <summary>A raw string or a JSON literal: the payload is its <see cref="Value"/>.</summary>
    Literal,
    Current,
    Expression,
    Star,
    Dot,
    Comma,
    Colon,
    Not,
    Or,
    And,
    Pipe,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    LeftBracket,
    RightBracket,
    LeftBrace,
    RightBrace,
    LeftParenthesis,
    RightParenthesis,

    /// <summary><c>[]</c></summary>
    Flatten,

    /// <summary><c>[?</c></summary>
    Filter,
}

/// <summary>A word of an expression.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Offset">The start offset.</param>
/// <param name="End">The end offset: the offset of the character after it.</param>
/// <param name="Payload">An identifier's text, a number's <see cref="int"/>, a literal's <see cref="Value"/>.</param>
internal readonly record struct Token(TokenKind Kind, int Offset, int End, object? Payload = null);
