using CsCheck;

namespace Lintel.Transport.Tests.Http1.Fuzz;

/// <summary>A change to some bytes that knows nothing of what they mean.</summary>
/// <param name="Kind">Which.</param>
/// <param name="At">Where; beyond the end it begins anew.</param>
/// <param name="Length">Of how many bytes.</param>
/// <param name="Value">To what.</param>
internal readonly record struct Mutation(MutationKind Kind, int At, int Length, byte Value)
{
    /// <summary>Bytes with a meaning in HTTP come more often than others.</summary>
    private static readonly Gen<byte> Telling = Gen.Frequency(
        (4, Gen.OneOf("\r\n\t :;,0123456789abcdefxX+-\"".Select(c => (byte)c).ToArray())),
        (1, Gen.OneOf<byte>(0, 0x0b, 0x0c, 0x7f, 0x80, 0x85, 0xa0, 0xff)),
        (1, Gen.Byte)
    );

    private static readonly Gen<Mutation> Any = Gen.Select(
        Gen.Frequency(
            (4, MutationKind.Set),
            (3, MutationKind.Insert),
            (3, MutationKind.Remove),
            (1, MutationKind.Repeat),
            (1, MutationKind.Truncate)
        ),
        Gen.Int[0, 5000],
        Gen.Frequency((4, Gen.Const(1)), (1, Gen.Int[1, 30])),
        Telling,
        (kind, at, length, value) => new Mutation(kind, at, length, value)
    );

    public static readonly Gen<Mutation[]> Few = Gen.Frequency((3, Gen.Const<Mutation[]>([])), (1, Any.Array[1, 2]));

    public static readonly Gen<Mutation[]> Some = Any.Array[1, 5];

    public static byte[] Apply(byte[] bytes, IReadOnlyList<Mutation> mutations)
    {
        if (mutations.Count == 0)
            return bytes;
        var changed = new List<byte>(bytes);
        foreach (var mutation in mutations)
            mutation.Apply(changed);
        return [.. changed];
    }

    /// <summary>The beginning of one and the end of the other.</summary>
    public static byte[] Cross(byte[] one, byte[] other, Mutation[] mutations) =>
        [.. one.AsSpan(0, mutations[0].At % (one.Length + 1)), .. other.AsSpan(mutations[^1].Value % (other.Length + 1))];

    private void Apply(List<byte> bytes)
    {
        if (bytes.Count == 0)
            return;
        var at = At % bytes.Count;
        var length = Math.Min(Length, bytes.Count - at);
        switch (Kind)
        {
            case MutationKind.Set:
                bytes[at] = Value;
                break;
            case MutationKind.Insert:
                bytes.Insert(at, Value);
                break;
            case MutationKind.Remove:
                bytes.RemoveRange(at, length);
                break;
            case MutationKind.Repeat:
                bytes.InsertRange(at, bytes.GetRange(at, length));
                break;
            case MutationKind.Truncate:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
        }
    }
}

internal enum MutationKind
{
    Set,
    Insert,
    Remove,
    Repeat,
    Truncate,
}
