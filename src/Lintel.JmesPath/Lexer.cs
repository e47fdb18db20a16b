using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Lintel.JmesPath;

/// <summary>Splits an expression into tokens. Lazy: an error further on is not detected before the parser reaches it.</summary>
internal sealed class Lexer(string text)
{
    private int _at;

    /// <summary>The problem; set once.</summary>
    public ExpressionProblem? Problem { get; private set; }

    /// <summary>The next word; <see cref="TokenKind.End"/> at the end and after a mistake.</summary>
    public Token Next()
    {
        while (_at < text.Length && text[_at] is ' ' or '\t' or '\r' or '\n')
            _at++;
        if (_at == text.Length)
            return new Token(TokenKind.End, _at, _at);
        var c = text[_at];
        return c switch
        {
            >= 'a' and <= 'z' or >= 'A' and <= 'Z' or '_' => Identifier(),
            >= '0' and <= '9' or '-' => Number(),
            '"' => QuotedIdentifier(),
            '\'' => RawString(),
            '`' => Literal(),
            _ => Symbol(c, _at + 1 < text.Length ? text[_at + 1] : '\0'),
        };
    }

    private Token Symbol(char c, char next) =>
        (c, next) switch
        {
            ('.', _) => Take(TokenKind.Dot, 1),
            ('*', _) => Take(TokenKind.Star, 1),
            ('@', _) => Take(TokenKind.Current, 1),
            (',', _) => Take(TokenKind.Comma, 1),
            (':', _) => Take(TokenKind.Colon, 1),
            ('(', _) => Take(TokenKind.LeftParenthesis, 1),
            (')', _) => Take(TokenKind.RightParenthesis, 1),
            ('{', _) => Take(TokenKind.LeftBrace, 1),
            ('}', _) => Take(TokenKind.RightBrace, 1),
            (']', _) => Take(TokenKind.RightBracket, 1),
            ('[', ']') => Take(TokenKind.Flatten, 2),
            ('[', '?') => Take(TokenKind.Filter, 2),
            ('[', _) => Take(TokenKind.LeftBracket, 1),
            ('|', '|') => Take(TokenKind.Or, 2),
            ('|', _) => Take(TokenKind.Pipe, 1),
            ('&', '&') => Take(TokenKind.And, 2),
            ('&', _) => Take(TokenKind.Expression, 1),
            ('=', '=') => Take(TokenKind.Equal, 2),
            ('!', '=') => Take(TokenKind.NotEqual, 2),
            ('!', _) => Take(TokenKind.Not, 1),
            ('<', '=') => Take(TokenKind.LessOrEqual, 2),
            ('<', _) => Take(TokenKind.Less, 1),
            ('>', '=') => Take(TokenKind.GreaterOrEqual, 2),
            ('>', _) => Take(TokenKind.Greater, 1),
            ('=', _) => Fail("`=` is not an operator", _at, "write equality as `==`"),
            ('$', _) => Fail(
                "`$` is not part of JMESPath",
                _at,
                "the input is the current node `@`; refer to its fields directly: `user.name`"
            ),
            _ => Fail(
                $"{Shown(_at)} is unexpected here",
                _at,
                "put names with characters other than letters, digits and `_` in double quotes"
            ),
        };

    private Token Take(TokenKind kind, int length)
    {
        var start = _at;
        _at += length;
        return new Token(kind, start, _at);
    }

    private Token Identifier()
    {
        var start = _at;
        while (_at < text.Length && (char.IsAsciiLetterOrDigit(text[_at]) || text[_at] == '_'))
            _at++;
        return new Token(TokenKind.Identifier, start, _at, text[start.._at]);
    }

    private Token Number()
    {
        var start = _at++;
        while (_at < text.Length && char.IsAsciiDigit(text[_at]))
            _at++;
        var digits = text.AsSpan(start, _at - start);
        if (digits is "-")
            return Fail(
                "`-` is not followed by a digit",
                start,
                "put a name with `-` in double quotes: `\"first-name\"`; write a number to compare with as a literal: `` `-1.5` ``"
            );
        return int.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? new Token(TokenKind.Number, start, _at, number)
            : Fail("the index does not fit in 32 bits", start);
    }

    private Token QuotedIdentifier()
    {
        var start = _at;
        if (!TrySkipTo('"'))
            return Fail("the closing `\"` is missing", start);
        return ReadJson(text[start.._at]) is { } name
            ? new Token(TokenKind.QuotedIdentifier, start, _at, Encoding.UTF8.GetString(Value.TextOf(name)))
            : Fail("the name in double quotes is not a valid JSON string", start, "escape `\\` and `\"` as `\\\\` and `\\\"`");
    }

    private Token RawString()
    {
        var start = _at;
        if (!TrySkipTo('\''))
            return Fail("the closing `'` is missing", start);
        var content = text[(start + 1)..(_at - 1)].Replace("\\'", "'", StringComparison.Ordinal);
        return new Token(TokenKind.Literal, start, _at, Value.String(content));
    }

    private Token Literal()
    {
        var start = _at;
        if (!TrySkipTo('`'))
            return Fail("the closing `` ` `` is missing", start);
        var content = text[(start + 1)..(_at - 1)].Replace("\\`", "`", StringComparison.Ordinal);
        return ReadJson(content) is { } json
            ? new Token(TokenKind.Literal, start, _at, new Value(json))
            : Fail("the text between the backticks is not valid JSON", start, "write a string as `'text'` or `` `\"text\"` ``");
    }

    /// <summary>Behind the closing quote; one behind a backslash does not close.</summary>
    private bool TrySkipTo(char quote)
    {
        for (_at++; _at < text.Length; _at++)
        {
            if (text[_at] == '\\')
                _at++;
            else if (text[_at] == quote)
            {
                _at++;
                return true;
            }
        }

        return false;
    }

    /// <summary>The reader reports invalid JSON only by an exception; this runs at load time, on the user's own text.</summary>
    private static JsonElement? ReadJson(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(Encoding.UTF8.GetBytes(json));
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private string Shown(int at) => Rune.TryGetRuneAt(text, at, out var rune) ? $"`{rune}`" : "an unpaired surrogate";

    private Token Fail(string message, int offset, string? hint = null)
    {
        Problem ??= new ExpressionProblem(message, offset, hint);
        _at = text.Length;
        return new Token(TokenKind.End, _at, _at);
    }
}
