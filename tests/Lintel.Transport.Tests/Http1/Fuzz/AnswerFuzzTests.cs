using System.Collections.Concurrent;
using System.Globalization;
using CsCheck;

namespace Lintel.Transport.Tests.Http1.Fuzz;

/// <summary>The reader of answers against bytes of every kind, with .NET's client for a second opinion.</summary>
/// <remarks>
/// <c>bench/fuzz/run.sh</c> runs them for long: LINTEL_FUZZ_EXECUTIONS and LINTEL_FUZZ_COMPARISONS say how often, LINTEL_FUZZ_REPORT takes
/// the counts, and LINTEL_FUZZ_CORPUS the corpus with what was found.
/// </remarks>
public sealed class AnswerFuzzTests : IDisposable
{
    private static readonly int[][] Pieces =
    [
        [],
        [1],
        [2],
        [3, 1],
        [7],
        [64],
    ];

    private readonly LintelReader.Listening _listening = new();
    private readonly Corpus _corpus = Corpus.Read();

    public void Dispose() => _listening.Dispose();

    [Fact]
    public async Task KnownAnswers_AreReadAsBefore_AndAsDotNetReadsThem()
    {
        using var ours = new LintelReader(_listening);
        using var theirs = new SocketsReader();
        var anew = new Corpus();
        Assert.True(_corpus.Entries.Count > 50);
        foreach (var (kind, answer) in _corpus.Entries)
        {
            var reading = ours.Read(answer, [], 4096);
            var opinion = Corpus.KindOf(reading, Opinions.Compare(answer, reading, await theirs.ReadAsync(answer)));
            if (Environment.GetEnvironmentVariable("LINTEL_UPDATE_GOLDEN") == "1")
            {
                anew.Offer(opinion, answer);
                continue;
            }

            Assert.Equal(kind, opinion);
            Assert.Equal(answer.ToString(), Answer.Parse(answer.ToString()).ToString());
            foreach (var cuts in Pieces)
            {
                foreach (var room in (int[])[1, 5, 4096])
                    Assert.Equal(reading.ToString(), ours.Read(answer, cuts, room).ToString());
            }
        }

        if (anew.Entries.Count > 0)
            anew.Save(Corpus.Path());
    }

    /// <summary>Nothing but a refusal is thrown, and nothing depends on how the bytes arrive; memory is bounded by what comes.</summary>
    [Fact]
    public void AnyAnswer_InAnyPieces_IsReadTheSame()
    {
        var executions = Setting("LINTEL_FUZZ_EXECUTIONS", 30_000);
        var refused = 0L;
        using var readers = new ThreadLocal<(LintelReader Usual, LintelReader Small)>(() =>
            (new LintelReader(_listening), new LintelReader(_listening, maxHead: 48))
        );
        Gen.Select(Any(), Gen.Int[1, 9])
            .Sample(
                (answer, room) =>
                {
                    var (usual, small) = readers.Value;
                    var before = GC.GetAllocatedBytesForCurrentThread();
                    var whole = usual.Read(answer, [], 4096);
                    var memory = GC.GetAllocatedBytesForCurrentThread() - before;
                    if (memory > (1 << 20) + (100 * answer.Bytes.Length))
                        throw new InvalidOperationException($"{memory} bytes of memory for {answer.Bytes.Length}.");
                    AssertSame(answer, whole, usual.Read(answer, answer.Cuts, room));
                    AssertSame(answer, small.Read(answer, [], 4096), small.Read(answer, answer.Cuts, room));
                    if (whole.Refusal is not null)
                        Interlocked.Increment(ref refused);
                },
                iter: executions,
                print: a => a.Item1.ToString()
            );
        Report(
            $"- {executions} answers, each read four times: whole and in pieces, with a usual limit of the head and a small one. "
                + $"{refused} of them were refused."
        );
    }

    [Fact]
    public void AnyAnswer_IsReadAsDotNetReadsIt_OrRefusedByARule()
    {
        var comparisons = Setting("LINTEL_FUZZ_COMPARISONS", 5_000);
        var counts = new ConcurrentDictionary<string, long>(StringComparer.Ordinal);
        using var readers = new ThreadLocal<(LintelReader Ours, SocketsReader Theirs)>(() =>
            (new LintelReader(_listening), new SocketsReader())
        );
        Any()
            .Sample(
                answer =>
                {
                    var (ours, theirs) = readers.Value;
                    var reading = ours.Read(answer, answer.Cuts, 4096);
                    var opinion = Opinions.Compare(answer, reading, theirs.ReadAsync(answer).GetAwaiter().GetResult());
                    counts.AddOrUpdate(opinion, 1, static (_, n) => n + 1);
                    _corpus.Offer(Corpus.KindOf(reading, opinion), answer);
                },
                iter: comparisons,
                print: a => a.ToString()
            );
        Report(
            $"- {comparisons} answers compared with SocketsHttpHandler:\n\n| opinion | section | answers |\n| --- | --- | ---: |\n"
                + string.Concat(
                    counts
                        .OrderByDescending(c => c.Value)
                        .Select(c => $"| {c.Key} | {RefusalRule.All.FirstOrDefault(r => r.Name == c.Key)?.Section} | {c.Value} |\n")
                )
        );
        if (Environment.GetEnvironmentVariable("LINTEL_FUZZ_CORPUS") is { } path)
            _corpus.Save(path);
    }

    private Gen<Answer> Any() => Gen.Frequency((2, AnswerGen.Grammatical), (1, AnswerGen.Of([.. _corpus.Entries.Select(e => e.Answer)])));

    private static void AssertSame(Answer answer, Reading one, Reading other)
    {
        if (one.ToString() != other.ToString())
            throw new DifferenceException(answer, one, other, "the pieces made a difference");
    }

    private static long Setting(string name, long usual) =>
        long.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : usual;

    private static void Report(string text)
    {
        if (Environment.GetEnvironmentVariable("LINTEL_FUZZ_REPORT") is { } path)
            File.AppendAllText(path, text + "\n");
    }
}
