using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Lintel.Tests.Architecture;

/// <summary>The house's rules (CONTRIBUTING) that a compiler does not hold.</summary>
public sealed partial class StaircaseTests
{
    /// <summary>Lowest first: a folder imports only those before it.</summary>
    private static readonly string[] Staircase =
    [
        "Errors",
        "Config",
        "Identities",
        "Carriers",
        "Observability",
        "Routing",
        "State",
        "Pipeline",
        "Services",
        "Forwarding",
        "Composition",
        "Answering",
        "Policies",
        "Runtime",
        "Listeners",
        "Hosting",
    ];

    /// <summary>Files that may be longer than 450 lines, each with its reason.</summary>
    private static readonly Dictionary<string, string> LongFiles = new()
    {
        ["Lintel.Transport/Http1/Http1Connection.cs"] =
            "a protocol's state machine: both directions share what they know of the connection",
    };

    /// <summary>Where ASP.NET Core's own types of a request may be named: its carrier, what Kestrel or a host calls, what YARP is called with, and what an application's policy gets.</summary>
    private static readonly string[] HttpContextUsers =
    [
        "Carriers/",
        "Listeners/",
        "Hosting/",
        "Pipeline/HostedRequest.cs",
        "Forwarding/CountedTunnel.cs",
        "Forwarding/ResponseBody.cs",
        "Forwarding/YarpForwarder.cs",
        "Policies/Custom/PolicyContext.cs",
    ];

    private static readonly string[] ForbiddenFolders = ["Common", "Utilities", "Helpers", "Abstractions", "Extensions"];

    private static readonly Dictionary<string, string[]> AllowedReferences = new()
    {
        ["Lintel.JmesPath"] = [],
        ["Lintel.Transport"] = [],
        ["Lintel"] = ["Lintel.JmesPath", "Lintel.Transport"],
        ["Lintel.Stores"] = ["Lintel"],
        ["Lintel.Control"] = ["Lintel"],
    };

    private static readonly string Source = Path.Combine(Repository.Root, "src");

    public static TheoryData<string> Folders =>
        [
            .. Directory
                .EnumerateDirectories(Path.Combine(Source, "Lintel"))
                .Select(f => Path.GetFileName(f)!)
                .Where(IsOurs)
                .Order(StringComparer.Ordinal),
        ];

    [Theory]
    [MemberData(nameof(Folders))]
    public void Folder_OfTheGateway_ImportsOnlyFoldersBelowIt(string folder)
    {
        Assert.Contains(folder, Staircase);
        var above = Staircase.SkipWhile(s => s != folder).Skip(1).ToList();
        var offences =
            from file in Directory.EnumerateFiles(Path.Combine(Source, "Lintel", folder), "*.cs", SearchOption.AllDirectories)
            from import in Imports(File.ReadAllText(file))
            where above.Contains(import)
            select $"{Path.GetRelativePath(Source, file)} imports {import}";
        Assert.Empty(offences.Distinct());
    }

    /// <summary>Everything else sees requests through <c>ClientRequest</c> and <c>Exchange</c>, whatever carries them.</summary>
    [Fact]
    public void HttpContext_IsNamedByItsCarrierAlone()
    {
        var offences =
            from file in Directory.EnumerateFiles(Path.Combine(Source, "Lintel"), "*.cs", SearchOption.AllDirectories)
            let name = Path.GetRelativePath(Path.Combine(Source, "Lintel"), file).Replace('\\', '/')
            where IsOurs(name.Split('/')[0]) && !HttpContextUsers.Any(u => name.StartsWith(u, StringComparison.Ordinal))
            where File.ReadLines(file).Any(l => !l.TrimStart().StartsWith("//", StringComparison.Ordinal) && HttpContextName().IsMatch(l))
            select name;
        Assert.Empty(offences);
    }

    [Fact]
    public void Imports_OfEveryKind_AreSeen()
    {
        const string Code =
            "using Lintel.Routing;\nusing static Lintel.Pipeline.Template;\nusing R = Lintel.Runtime.Thing;\n/// <see "
            + "cref=\"Hosting.Gateway\"/>\nvar a = Lintel.Services.X; var b = Config.Suggestion.For(1); // Forwarding.\n";
        Assert.Equal(["Config", "Pipeline", "Routing", "Runtime", "Services"], Imports(Code).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Files_OfTheGatewaysRoot_AreNone() => Assert.Empty(Directory.EnumerateFiles(Path.Combine(Source, "Lintel"), "*.cs"));

    [Fact]
    public void Namespaces_OfSources_FollowTheirFolders()
    {
        var offences =
            from file in SourceFiles()
            let expected = Path.GetDirectoryName(Path.GetRelativePath(Source, file))!.Replace('/', '.')
            let match = NamespaceLine().Match(File.ReadAllText(file))
            where match.Groups[1].Value != expected

            // Extension methods are in the namespaces where their users look for them.
            where !(expected == "Lintel.Hosting" && match.Groups[1].Value.StartsWith("Microsoft.", StringComparison.Ordinal))
            where Path.GetFileName(file) != "Program.cs"
            select $"{file}: {match.Groups[1].Value}";
        Assert.Empty(offences);
    }

    [Fact]
    public void Folders_WithNamesThatSayNothing_DoNotExist() =>
        Assert.DoesNotContain(Directory.EnumerateDirectories(Source, "*", SearchOption.AllDirectories), d =>
            ForbiddenFolders.Contains(Path.GetFileName(d))
        );

    [Fact]
    public void Files_WithoutAReason_HaveAtMost450Lines() =>
        Assert.DoesNotContain(SourceFiles().Select(f => (File: Path.GetRelativePath(Source, f), Lines: File.ReadLines(f).Count())), f =>
            f.Lines > 450 && !LongFiles.ContainsKey(f.File)
        );

    /// <summary>The formatter lays code out within this width, but breaks neither comments nor literals. Raw string literals hold other languages.</summary>
    [Fact]
    public void Lines_OutsideOfRawStrings_AreAtMost140CharactersWide()
    {
        var wide =
            from file in SourceFiles()
            from line in CodeLines(file)
            where line.Text.Length > 140
            select $"{Path.GetRelativePath(Source, file)}:{line.Number}";
        Assert.Empty(wide);
    }

    private static IEnumerable<(string Text, int Number)> CodeLines(string file)
    {
        var isRaw = false;
        foreach (var (number, text) in File.ReadLines(file).Index())
        {
            var turns = text.Split("\"\"\"").Length % 2 == 0;
            if (!isRaw && !turns)
                yield return (text, number + 1);
            isRaw ^= turns;
        }
    }

    [Fact]
    public void Projects_ReferenceOnlyWhatTheyMay()
    {
        var projects = Directory.EnumerateFiles(Source, "*.csproj", SearchOption.AllDirectories).ToList();
        Assert.NotEmpty(projects);
        foreach (var project in projects)
        {
            var name = Path.GetFileNameWithoutExtension(project);
            var references = XDocument
                .Load(project)
                .Descendants("ProjectReference")
                .Select(r => Path.GetFileNameWithoutExtension(((string)r.Attribute("Include")!).Replace('\\', '/')));
            if (name != "Lintel.Cli")
                Assert.Subset(AllowedReferences[name].ToHashSet(), references.ToHashSet());
        }
    }

    private static bool IsOurs(string folder) => folder is not ("bin" or "obj");

    private static IEnumerable<string> SourceFiles() =>
        Directory.EnumerateFiles(Source, "*.cs", SearchOption.AllDirectories).Where(f => !f.Contains("/obj/", StringComparison.Ordinal));

    /// <summary>The folders that code references, in imports or by full name; comments may mention any.</summary>
    private static IEnumerable<string> Imports(string code)
    {
        foreach (var line in code.Split('\n'))
        {
            var comment = line.IndexOf("//", StringComparison.Ordinal);
            var text = StringLiteral().Replace(comment < 0 ? line : line[..comment], "\"\"");
            foreach (Match match in FullName().Matches(text))
                yield return match.Groups[1].Value;
        }
    }

    [GeneratedRegex(
        @"(?<![\w.])(?:Lintel\.)?(Errors|Config|Carriers|Observability|Routing|State|Pipeline|Services|Forwarding|Composition|Answering|Policies|Runtime|Listeners|Hosting)(?=\s*;|\.[A-Z]\w*[.(;\s<>])"
    )]
    private static partial Regex FullName();

    [GeneratedRegex(@"\bHttp(?:Context|Request|Response)\b")]
    private static partial Regex HttpContextName();

    [GeneratedRegex("\"(?:[^\"\\\\]|\\\\.)*\"")]
    private static partial Regex StringLiteral();

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex NamespaceLine();
}
