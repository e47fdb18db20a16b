using System.Text;

namespace Lintel.Transport.Tests.Http1.Fuzz;

/// <summary>The result of reading an answer.</summary>
internal sealed record Reading
{
    /// <summary>Why the reader refused it; <see langword="null"/> when it took it, to the end of the body.</summary>
    public string? Refusal { get; init; }

    public int Status { get; init; }

    /// <summary>The number of preceding interim heads.</summary>
    public int Interim { get; init; }

    public IReadOnlyList<(string Name, string Value)> Fields { get; init; } = [];

    public byte[] Body { get; init; } = [];

    public IReadOnlyList<(string Name, string Value)> Trailers { get; init; } = [];

    /// <summary>Whether the connection is kept for the next request.</summary>
    public bool IsKept { get; init; }

    /// <summary>In full, for comparison with another reading by the same reader.</summary>
    public override string ToString()
    {
        if (Refusal is not null)
            return Refusal;
        var text = new StringBuilder();
        text.Append(Status).Append(" after ").Append(Interim);
        foreach (var (name, value) in Fields)
            text.Append('|').Append(name).Append(": ").Append(value);
        text.Append('|').Append(Encoding.Latin1.GetString(Body));
        foreach (var (name, value) in Trailers)
            text.Append('|').Append(name).Append(": ").Append(value);
        return text.Append(IsKept ? "|kept" : "|closed").ToString();
    }

    /// <summary>
    /// What kind of answer it was and how it was taken: inputs that share it have walked the same way through the reader, more or less.
    /// </summary>
    public string Kind
    {
        get
        {
            var before = Interim > 0 ? " after interim ones" : "";
            if (Refusal is not null)
                return $"{Refusal} [{(Status == 0 ? "no status" : $"{Status / 100}xx")}{before}]";
            return $"{(Status is 101 or 204 or 304 ? Status : $"{Status / 100}xx")}{before}{(Body.Length > 0 ? ", body" : "")}{(Trailers.Count > 0 ? ", trailers" : "")}{(IsKept ? ", kept" : "")}";
        }
    }
}
