using System.Collections.Concurrent;

namespace Lintel.Transport.Tests.Http1.Fuzz;

/// <summary>
/// Answers that are worth keeping: for each way through the reader the shortest that has been found. In the file, a line that says which
/// way, and the answer.
/// </summary>
internal sealed class Corpus
{
    /// <summary>Long answers are long for a single reason, which has separate tests.</summary>
    private const int Longest = 400;

    private readonly ConcurrentDictionary<string, Answer> _answers = new(StringComparer.Ordinal);

    public IReadOnlyList<(string Kind, Answer Answer)> Entries =>
        [.. _answers.OrderBy(a => a.Key, StringComparer.Ordinal).Select(a => (a.Key, a.Value))];

    /// <summary>
    /// Where the one in the repository is. Not by the caller's file: in a deterministic build (<c>CI=true</c>) that is below <c>/_/</c>.
    /// </summary>
    public static string Path()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(System.IO.Path.Combine(folder!.FullName, "Lintel.slnx")))
            folder = folder.Parent;
        return System.IO.Path.Combine(folder.FullName, "tests/Lintel.Transport.Tests/Http1/Fuzz/answers.txt");
    }

    /// <summary>The one in the repository.</summary>
    public static Corpus Read()
    {
        var corpus = new Corpus();
        string? kind = null;
        foreach (var line in File.ReadLines(Path()))
        {
            if (line.StartsWith('#'))
                kind = line[2..];
            else
                corpus._answers[kind!] = Answer.Parse(line);
        }

        return corpus;
    }

    /// <summary>The kind under which an answer is kept.</summary>
    public static string KindOf(Reading reading, string opinion) => $"{reading.Kind}; {opinion}";

    public void Offer(string kind, Answer answer)
    {
        if (answer.Bytes.Length <= Longest)
            _answers.AddOrUpdate(
                kind,
                static (_, a) => a,
                static (_, kept, a) => a.Bytes.Length < kept.Bytes.Length ? a : kept,
                answer with
                {
                    Cuts = [],
                }
            );
    }

    public void Save(string path) => File.WriteAllLines(path, Entries.SelectMany(e => new[] { "# " + e.Kind, e.Answer.ToString() }));
}
