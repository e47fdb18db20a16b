using System.Reflection;
using System.Text.RegularExpressions;
using Lintel.Tests.Config;

namespace Lintel.Tests.Architecture;

/// <summary>No key is taken and does nothing: what a record holds is read by code that acts on it, or its grammar refuses it.</summary>
/// <remarks>
/// Read are the instructions of the assemblies. Reading within the configuration's own code counts only where that code is called from
/// outside of it: equality, printing and the grammar's checks act on nothing.
/// </remarks>
public sealed class DeadKeyTests
{
    /// <summary>Records of the configuration, and what reads them.</summary>
    private static readonly Regex Own = new(@"^Lintel\.(Config\.|Policies\.\w+\.\w*Config\.)", RegexOptions.CultureInvariant);

    /// <summary>Assemblies that act on a configuration. The program's is there where everything was built.</summary>
    private static readonly string[] Assemblies = ["Lintel", "Lintel.Control", "Lintel.Cli"];

    /// <summary>Properties that are never read, each with the reason why its key is not misleading.</summary>
    private static readonly Dictionary<string, string> Refused = new()
    {
        ["AdminConfig.Console"] = "only `false` is taken, which is what there is",
        ["SessionConfig.Store"] = "only `memory` is taken, which is what there is",
        ["GatewayConfig.State"] = "only `memory` is taken, which is what there is",
    };

    public static TheoryData<Type> Records => SchemaTests.Records;

    private static readonly Lazy<HashSet<string>> Read = new(FindRead);

    [Theory]
    [MemberData(nameof(Records))]
    public void Property_OfEveryRecord_IsReadByCodeThatActsOnIt(Type record)
    {
        ArgumentNullException.ThrowIfNull(record);
        Assert.SkipUnless(Paths().Count() == Assemblies.Length, "the program is not built");
        var dead = record
            .GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Where(p => p.Name != "EqualityContract" && !Read.Value.Contains($"{record.FullName}.get_{p.Name}"))
            .Select(p => $"{record.Name}.{p.Name}");
        Assert.Equal(Refused.Keys.Where(r => r.StartsWith(record.Name + ".", StringComparison.Ordinal)), dead);
    }

    [Theory]
    [InlineData("Lintel.Config.RouteConfig.get_Match", true)] // read outside
    [InlineData("Lintel.Config.TimeoutsConfig.get_Connect", true)] // by a method that is called from outside
    [InlineData("Lintel.Config.AdminConfig.get_Console", false)]
    public void Getter_OfAProperty_IsFoundWhereItIsRead(string getter, bool isRead) => Assert.Equal(isRead, Read.Value.Contains(getter));

    private static IEnumerable<string> Paths() =>
        Assemblies
            .Select(a =>
                new[]
                {
                    Path.Combine(AppContext.BaseDirectory, a + ".dll"),
                    Path.Combine(Repository.Root, "artifacts", "bin", a, "release", a + ".dll"),
                }.FirstOrDefault(File.Exists)
            )
            .OfType<string>();

    private static HashSet<string> FindRead()
    {
        var calls = Paths()
            .SelectMany(IlCalls.Read)
            .Where(c => Own.IsMatch(c.Called) && !OnlyReports(c.Caller))
            .ToLookup(c => IsOwn(c.Caller) ? c.Caller : "", c => c.Called);
        var read = new HashSet<string>(calls[""], StringComparer.Ordinal);
        var waiting = new Queue<string>(read);
        while (waiting.TryDequeue(out var method))
        {
            foreach (var called in ActsOnNothing(method) ? [] : calls[method])
            {
                if (read.Add(called))
                    waiting.Enqueue(called);
            }
        }

        return read;
    }

    private static bool IsOwn(string method) => Own.IsMatch(method);

    /// <summary>Code that looks at a configuration and changes nothing by it: the admin API's views, explanations, warnings.</summary>
    private static bool OnlyReports(string caller) =>
        caller.StartsWith("Lintel.Control.Explaining.", StringComparison.Ordinal)
        || caller.StartsWith("Lintel.Control.Status.", StringComparison.Ordinal)
        || caller.StartsWith("Lintel.Runtime.UnusedCheck", StringComparison.Ordinal)
        || caller.StartsWith("Lintel.Runtime.CodeCheck", StringComparison.Ordinal);

    /// <summary>Members that the compiler generates for records.</summary>
    private static bool ActsOnNothing(string method) =>
        method[(method.LastIndexOf('.') + 1)..]
            is "Equals"
                or "GetHashCode"
                or "ToString"
                or "PrintMembers"
                or "Deconstruct"
                or "op_Equality"
                or "op_Inequality"
                or "<Clone>$"
                or "cctor"
                or "ctor";
}
