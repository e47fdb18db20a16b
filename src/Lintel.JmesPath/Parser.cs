namespace Lintel.JmesPath;

/// <summary>
/// Parses an expression by operator precedence (top-down). Null means that a problem was recorded, and is propagated. Lists, objects, calls
/// and slices are in <c>Parser.Parts.cs</c>.
/// </summary>
internal sealed partial class Parser
{
    /// <summary>A projection ends before an operator that binds less.</summary>
    private const int ProjectionEnd = 10;
    private const int FlattenStrength = 9;
    private const int StarStrength = 20;
    private const int FilterStrength = 21;
    private const int DotStrength = 40;
    private const int NotStrength = 45;

    private readonly Lexer _lexer;
    private Token _token;
    private Token _next;
    private int _depth;
    private ExpressionProblem? _problem;

    public Parser(string text)
    {
        _lexer = new Lexer(text);
        _token = _lexer.Next();
        _next = _lexer.Next();
    }

    /// <summary>The whole text as one expression.</summary>
    public Node? Parse(out ExpressionProblem? problem)
    {
        Node? node = null;
        if (_token.Kind == TokenKind.End && _lexer.Problem is null)
            Fail("the expression is empty", 0);
        else
            node = Expression(0);
        if (node is not null && _token.Kind != TokenKind.End)
            node = Unexpected(
                "an operator or the end of the expression",
                _token.Payload is "and" or "or" ? "write `&&` for and, `||` for or" : null
            );

        // A lexer's mistake looks like an end to the parser: where there is one, it is the cause.
        problem = _lexer.Problem is { } cause && (_problem is null || _problem.Offset >= cause.Offset) ? cause : _problem;
        return problem is null ? node : null;
    }

    private static int Strength(TokenKind kind) =>
        kind switch
        {
            TokenKind.Pipe => 1,
            TokenKind.Or => 2,
            TokenKind.And => 3,
            TokenKind.Equal
            or TokenKind.NotEqual
            or TokenKind.Less
            or TokenKind.LessOrEqual
            or TokenKind.Greater
            or TokenKind.GreaterOrEqual => 5,
            TokenKind.Flatten => FlattenStrength,
            TokenKind.Star => StarStrength,
            TokenKind.Filter => FilterStrength,
            TokenKind.Dot => DotStrength,
            TokenKind.Not => NotStrength,
            TokenKind.LeftBrace => 50,
            TokenKind.LeftBracket => 55,
            TokenKind.LeftParenthesis => 60,
            _ => 0,
        };

    private Node? Expression(int strength)
    {
        if (++_depth > JmesPath.Expression.MaxHeight)
            return Fail($"the expression is more than {JmesPath.Expression.MaxHeight} levels deep", _token.Offset);
        var left = Begin();
        while (left is not null && strength < Strength(_token.Kind))
        {
            left = Continue(left);
            if (left?.Height > JmesPath.Expression.MaxHeight)
                left = Fail($"the expression is more than {JmesPath.Expression.MaxHeight} levels deep", _token.Offset);
        }

        _depth--;
        return left;
    }

    /// <summary>A part that begins here.</summary>
    private Node? Begin()
    {
        var token = Take();
        switch (token.Kind)
        {
            case TokenKind.Literal:
                return new LiteralNode(token.Offset, (Value)token.Payload!);
            case TokenKind.Identifier when _token.Kind == TokenKind.LeftParenthesis:
                return Call(token);
            case TokenKind.QuotedIdentifier when _token.Kind == TokenKind.LeftParenthesis:
                return Fail("function names are written without quotes", token.Offset);
            case TokenKind.Identifier or TokenKind.QuotedIdentifier:
                return new FieldNode(token.Offset, (string)token.Payload!);
            case TokenKind.Current:
                return new CurrentNode(token.Offset);
            case TokenKind.Star:
                return Project(ProjectionRight(StarStrength), r => new ValueProjectionNode(new CurrentNode(token.Offset), r));
            case TokenKind.Filter:
                return Filter(new CurrentNode(token.Offset));
            case TokenKind.Flatten:
                return Project(ProjectionRight(FlattenStrength), r => new FlattenNode(new CurrentNode(token.Offset), r));
            case TokenKind.Not:
                return Project(Expression(NotStrength), p => new NotNode(token.Offset, p));
            case TokenKind.LeftParenthesis:
                return Expression(0) is { } inner && Expect(TokenKind.RightParenthesis, "`)`") ? inner : null;
            case TokenKind.LeftBrace:
                return Object(token.Offset);
            case TokenKind.LeftBracket
                when _token.Kind is TokenKind.Number or TokenKind.Colon
                    || (_token.Kind == TokenKind.Star && _next.Kind == TokenKind.RightBracket):
                return Bracket(new CurrentNode(token.Offset));
            case TokenKind.LeftBracket:
                return List(token.Offset);
            case TokenKind.Expression:
                return Fail(
                    "`&` is allowed only before an argument of a function that takes an expression reference",
                    token.Offset,
                    "as in `sort_by(items, &price)`; write `&&` for and"
                );
            case TokenKind.Number:
                return Fail(
                    "a bare number is allowed only in brackets",
                    token.Offset,
                    $"write a value as a literal: `` `{token.Payload}` ``"
                );
            default:
                return Unexpected(token, "a field, a literal or a function");
        }
    }

    /// <summary>A part that continues the parsed expression.</summary>
    private Node? Continue(Node left)
    {
        var token = Take();
        switch (token.Kind)
        {
            case TokenKind.Dot when _token.Kind == TokenKind.Star:
                Take();
                return Project(ProjectionRight(DotStrength), r => new ValueProjectionNode(left, r));
            case TokenKind.Dot:
                return Project(DotRight(DotStrength), r => new SequenceNode(left, r));
            case TokenKind.Pipe:
                return Project(Expression(1), r => new SequenceNode(left, r));
            case TokenKind.Or:
                return Project(Expression(2), r => new LogicalNode(left, r, isOr: true));
            case TokenKind.And:
                return Project(Expression(3), r => new LogicalNode(left, r, isOr: false));
            case TokenKind.Equal
            or TokenKind.NotEqual
            or TokenKind.Less
            or TokenKind.LessOrEqual
            or TokenKind.Greater
            or TokenKind.GreaterOrEqual:
                return Project(Expression(Strength(token.Kind)), r => new ComparisonNode(left, r, token.Kind));
            case TokenKind.Flatten:
                return Project(ProjectionRight(FlattenStrength), r => new FlattenNode(left, r));
            case TokenKind.Filter:
                return Filter(left);
            case TokenKind.LeftBracket:
                return Bracket(left);
            case TokenKind.LeftParenthesis:
                return Fail("only a function name can be followed by arguments", token.Offset);
            default:
                return Unexpected(token, "an operator");
        }
    }

    /// <summary>What a projection does with each element: all that follows and binds enough.</summary>
    private Node? ProjectionRight(int strength)
    {
        if (Strength(_token.Kind) < ProjectionEnd)
            return new CurrentNode(_token.Offset);
        if (_token.Kind is TokenKind.LeftBracket or TokenKind.Filter)
            return Expression(strength);
        if (_token.Kind != TokenKind.Dot)
            return Unexpected("`.`, `[` or an operator");
        Take();
        return DotRight(strength);
    }

    private Node? DotRight(int strength)
    {
        switch (_token.Kind)
        {
            case TokenKind.Identifier or TokenKind.QuotedIdentifier or TokenKind.Star:
                return Expression(strength);
            case TokenKind.LeftBracket:
                return List(Take().Offset);
            case TokenKind.LeftBrace:
                return Object(Take().Offset);
            default:
                return Unexpected(
                    "a field, `*`, `[…]` or `{…}` after the dot",
                    _token.Kind == TokenKind.Literal ? "use double quotes for names that need quotes" : null
                );
        }
    }

    private static Node? Project(Node? part, Func<Node, Node> make) => part is null ? null : make(part);

    private Token Take()
    {
        var token = _token;
        _token = _next;
        _next = _lexer.Next();
        return token;
    }

    private bool Expect(TokenKind kind, string what)
    {
        if (_token.Kind != kind)
        {
            Unexpected(what);
            return false;
        }

        Take();
        return true;
    }

    private Node? Unexpected(string wanted, string? hint = null) => Unexpected(_token, wanted, hint);

    private Node? Unexpected(Token token, string wanted, string? hint = null) =>
        Fail(
            token.Kind == TokenKind.End ? $"unexpected end of the expression: {wanted} is expected" : $"{wanted} is expected here",
            token.Offset,
            hint
        );

    private Node? Fail(string message, int offset, string? hint = null)
    {
        _problem ??= new ExpressionProblem(message, offset, hint);
        return null;
    }
}
