namespace Lintel.TestKit;

/// <summary>
/// An attack that a test mounts, and what the gateway answers. <c>docs/attacks.md</c> is the table of all of them:
/// <c>LINTEL_UPDATE_GOLDEN=1</c> and <c>AttackTableTests</c> write it.
/// </summary>
/// <param name="attack">What the attacker does: a few words, for the table. Literals only, which the table is made of.</param>
/// <param name="answer">What the gateway does instead.</param>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class AttackAttribute(string attack, string answer) : Attribute
{
    /// <summary>What the attacker does.</summary>
    public string Attack { get; } = attack;

    /// <summary>What the gateway does instead.</summary>
    public string Answer { get; } = answer;
}
