namespace Lintel.JmesPath;

/// <summary>Parses the parts in brackets, braces and parentheses.</summary>
internal sealed partial class Parser
{
    /// <summary>Behind <c>[</c>: an index, a slice, or <c>*]</c>.</summary>
    private Node? Bracket(Node left)
    {
        if (_token.Kind == TokenKind.Star)
        {
            Take();
            return Expect(TokenKind.RightBracket, "`]`")
                ? Project(ProjectionRight(StarStrength), r => new ListProjectionNode(left, r))
                : null;
        }

        if (_token.Kind == TokenKind.Number && _next.Kind != TokenKind.Colon)
        {
            var index = (int)Take().Payload!;
            return Expect(TokenKind.RightBracket, "`]`") ? new IndexNode(left, index) : null;
        }

        return _token.Kind is TokenKind.Number or TokenKind.Colon
            ? Slice(left)
            : Unexpected(
                "an index, a slice or `*`",
                _token.Kind is TokenKind.Identifier or TokenKind.QuotedIdentifier
                    ? "write a field as `.name`, several fields as `.[a, b]`, a filter as `[?…]`"
                    : null
            );
    }

    private Node? Slice(Node left)
    {
        var bounds = new int?[3];
        var offset = _token.Offset;
        for (var part = 0; _token.Kind != TokenKind.RightBracket; )
        {
            if (_token.Kind == TokenKind.Colon && part < 2)
            {
                part++;
                Take();
            }
            else if (_token.Kind == TokenKind.Number && bounds[part] is null)
            {
                offset = _token.Offset;
                bounds[part] = (int)Take().Payload!;
            }
            else
                return Unexpected("`]` or a slice `start:stop:step`");
        }

        Take();
        if (bounds[2] == 0)
            return Fail("the step of a slice must not be 0", offset, "1 takes every element, -1 takes every element in reverse order");
        var slice = new Slice(bounds[0], bounds[1], bounds[2] ?? 1);
        return Project(ProjectionRight(StarStrength), r => new SliceNode(left, slice, r));
    }

    /// <summary>Behind <c>[?</c>.</summary>
    private Node? Filter(Node left)
    {
        if (Expression(0) is not { } condition || !Expect(TokenKind.RightBracket, "`]`"))
            return null;
        var right = _token.Kind == TokenKind.Flatten ? new CurrentNode(_token.Offset) : ProjectionRight(FilterStrength);
        return Project(right, r => new FilterNode(left, condition, r));
    }

    /// <summary>Behind <c>[</c>: expressions.</summary>
    private ListNode? List(int offset)
    {
        var parts = new List<Node>();
        do
        {
            if (Expression(0) is not { } part)
                return null;
            parts.Add(part);
        } while (TakeComma());
        return Expect(TokenKind.RightBracket, "`,` or `]`") ? new ListNode(offset, [.. parts]) : null;
    }

    /// <summary>Behind <c>{</c>: names and expressions.</summary>
    private ObjectNode? Object(int offset)
    {
        var names = new List<string>();
        var parts = new List<Node>();
        do
        {
            if (_token.Kind is not (TokenKind.Identifier or TokenKind.QuotedIdentifier))
            {
                Unexpected("a member name", _token.Kind == TokenKind.Literal ? "use double quotes for names that need quotes" : null);
                return null;
            }

            var name = Take();
            if (names.Contains((string)name.Payload!))
            {
                Fail($"duplicate member `{name.Payload}`", name.Offset);
                return null;
            }

            names.Add((string)name.Payload!);
            if (!Expect(TokenKind.Colon, "`:`") || Expression(0) is not { } part)
                return null;
            parts.Add(part);
        } while (TakeComma());
        return Expect(TokenKind.RightBrace, "`,` or `}`") ? new ObjectNode(offset, new Names([.. names]), [.. parts]) : null;
    }

    /// <summary>Behind a function's name.</summary>
    private Node? Call(Token name)
    {
        Take();
        if (FunctionTable.Find((string)name.Payload!) is not { } function)
            return Fail($"unknown function `{name.Payload}`", name.Offset, FunctionTable.Suggest((string)name.Payload!));
        var arguments = new List<Node>();
        if (_token.Kind != TokenKind.RightParenthesis)
        {
            do
            {
                if (Argument(function, arguments.Count) is not { } argument)
                    return null;
                arguments.Add(argument);
            } while (TakeComma());
        }

        if (!Expect(TokenKind.RightParenthesis, "`,` or `)`"))
            return null;
        return function.Takes(arguments.Count)
            ? new CallNode(name.Offset, function, [.. arguments])
            : Fail($"`{function.Name}` takes {function.Arity}, got {arguments.Count}", name.Offset);
    }

    private Node? Argument(Function function, int index)
    {
        var takesExpression = function.TypeAt(index) == Types.Expression;
        var offset = _token.Offset;
        if (_token.Kind != TokenKind.Expression)
        {
            return takesExpression
                ? Fail(
                    $"`{function.Name}` takes an expression reference here",
                    offset,
                    "write an expression reference with `&`, as in `sort_by(items, &price)`"
                )
                : Expression(0);
        }

        if (!takesExpression)
            return Fail(
                $"`{function.Name}` does not take an expression reference here",
                offset,
                "remove the `&`: the argument is then evaluated first"
            );
        Take();
        return Project(Expression(0), e => new ExpressionNode(offset, e));
    }

    private bool TakeComma()
    {
        if (_token.Kind != TokenKind.Comma)
            return false;
        Take();
        return true;
    }
}
