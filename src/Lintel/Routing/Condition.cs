using System.Text.RegularExpressions;
using Lintel.Config.Grammars;
using Microsoft.Extensions.Primitives;

namespace Lintel.Routing;

/// <summary>The part of a request that a condition tests.</summary>
internal enum ConditionPlace
{
    Listener,
    Scheme,
    Header,
    Query,
    Cookie,
}

/// <summary>
/// A condition on the values of one header, query parameter or cookie, or on the listener or scheme of the request. It holds if one of
/// several values matches.
/// </summary>
internal sealed class Condition(ConditionPlace place, string name, ValueTest test)
{
    public ConditionPlace Place { get; } = place;

    public string Name { get; } = name;

    public ValueTest Test { get; } = test;

    public bool Holds(in RoutedRequest routed)
    {
        var request = routed.Request;
        return Test.Holds(
            Place switch
            {
                ConditionPlace.Listener => new StringValues(routed.Listener),
                ConditionPlace.Scheme => routed.Scheme,
                ConditionPlace.Header => FieldValues(routed, request.Headers[Name]),
                ConditionPlace.Query => QueryValues.Find(request.Query, Name),
                _ => RequestCookies.Find(request.Headers.Cookie, Name) is { } cookie ? routed.FieldBytes(cookie) : default(StringValues),
            }
        );
    }

    /// <summary>Whether no request can satisfy both conditions.</summary>
    public bool Excludes(Condition other) =>
        Place == other.Place
            && string.Equals(
                Name,
                other.Name,
                Place == ConditionPlace.Header ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal
            )
            && Place != ConditionPlace.Query
            && Test.Excludes(other.Test) // a query parameter may be repeated, with both values
        || IsPresenceContrary(other);

    private bool IsPresenceContrary(Condition other) =>
        Place == other.Place
        && string.Equals(Name, other.Name, StringComparison.OrdinalIgnoreCase)
        && Test.NeedsAbsence != other.Test.NeedsAbsence
        && (Test.NeedsAbsence ? other.Test.NeedsPresence : Test.NeedsPresence);

    /// <summary>Values as bytes; those of the gateway's own listeners are bytes already.</summary>
    private static StringValues FieldValues(in RoutedRequest routed, StringValues values)
    {
        if (routed.Listener is not null || values.Count == 0)
            return values;
        var result = new string[values.Count];
        for (var i = 0; i < result.Length; i++)
            result[i] = routed.FieldBytes(values[i] ?? "");
        return result;
    }
}

/// <summary>A test of a value.</summary>
internal abstract class ValueTest
{
    public abstract bool Holds(StringValues values);

    /// <summary>Whether no single value can satisfy both tests.</summary>
    public virtual bool Excludes(ValueTest other) =>
        (this is NotTest mine && mine.Inner.Equals(other)) || (other is NotTest theirs && theirs.Inner.Equals(this));

    /// <summary>Whether the test holds only if there is no value.</summary>
    public virtual bool NeedsAbsence => false;

    /// <summary>Whether the test requires a value.</summary>
    public virtual bool NeedsPresence => true;
}

/// <summary>Matches one of several texts; a single one for an exact match.</summary>
internal sealed class OneOfTest(IReadOnlyList<string> texts) : ValueTest
{
    private readonly HashSet<string> _texts = new(texts, StringComparer.Ordinal);

    public override bool Holds(StringValues values)
    {
        foreach (var value in values)
        {
            if (value is not null && _texts.Contains(value))
                return true;
        }

        return false;
    }

    public override bool Excludes(ValueTest other) => other is OneOfTest one ? !_texts.Overlaps(one._texts) : base.Excludes(other);

    public override bool Equals(object? obj) => obj is OneOfTest other && _texts.SetEquals(other._texts);

    public override int GetHashCode() => _texts.Count;
}

internal sealed class PrefixTest(string prefix) : ValueTest
{
    public override bool Holds(StringValues values)
    {
        foreach (var value in values)
        {
            if (value is not null && value.StartsWith(prefix, StringComparison.Ordinal))
                return true;
        }

        return false;
    }
}

/// <summary>Matches a pattern.</summary>
/// <param name="regex">The pattern, matched in linear time.</param>
/// <param name="isOfBytes">Whether the values are bytes (fields), which are decoded to text for the pattern.</param>
internal sealed class RegexTest(Regex regex, bool isOfBytes = false) : ValueTest
{
    public override bool Holds(StringValues values)
    {
        foreach (var value in values)
        {
            if (value is not null && regex.IsMatch(isOfBytes ? FieldText.ToText(value) : value))
                return true;
        }

        return false;
    }
}

internal sealed class PresentTest(bool expected) : ValueTest
{
    public override bool Holds(StringValues values) => values.Count > 0 == expected;

    public override bool NeedsAbsence => !expected;

    public override bool NeedsPresence => expected;
}

internal sealed class NotTest(ValueTest inner) : ValueTest
{
    public ValueTest Inner { get; } = inner;

    public override bool Holds(StringValues values) => !Inner.Holds(values);

    public override bool NeedsAbsence => Inner is PresentTest { NeedsPresence: true };

    public override bool NeedsPresence => Inner.NeedsAbsence;
}
