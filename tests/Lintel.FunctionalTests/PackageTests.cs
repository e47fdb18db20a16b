using System.Diagnostics;
using System.IO.Compression;
using Lintel.TestKit;

namespace Lintel.FunctionalTests;

/// <summary>The libraries as packages: what a feed asks for, and the embedding sample built on them instead of on the projects.</summary>
[AnyTransport]
public sealed class PackageTests : IDisposable
{
    private static readonly string Root = GatewayProcess.Repository;

    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Packages_FromALocalFeed_RunTheEmbeddingSample()
    {
        var feed = Directory.CreateDirectory(_folder["feed"]).FullName;
        await PackAsync(feed);
        Assert.Equal(
            ["Lintel", "Lintel.Control", "Lintel.JmesPath", "Lintel.Transport"],
            Directory
                .GetFiles(feed, "*.nupkg")
                .Select(f => Path.GetFileName(f).Replace(".0.1.0.nupkg", "", StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
        );
        Assert.Equal(4, Directory.GetFiles(feed, "*.snupkg").Length);
        foreach (var package in Directory.GetFiles(feed, "*.nupkg"))
            await CheckAsync(package);

        await BuildSampleAsync(feed);
        using var program = Process.Start(
            new ProcessStartInfo("dotnet", [_folder["sample/out/Sample.dll"], "yaml", "--urls", "http://127.0.0.1:0"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        try
        {
            string? address = null;
            while (address is null && await program.StandardOutput.ReadLineAsync().WaitAsync(GatewayProcess.Patience) is { } line)
                address = line.Split("Now listening on: ") is [_, var at] ? at : null;
            Assert.NotNull(address);
            _ = program.StandardOutput.ReadToEndAsync(CancellationToken.None);
            using var client = new HttpClient { BaseAddress = new Uri(address) };
            Assert.Equal(
                "the program's own endpoint",
                await client.GetStringAsync(new Uri("/own", UriKind.Relative), CancellationToken.None)
            );
            using var missing = await client.GetAsync(new Uri("/nothing", UriKind.Relative), CancellationToken.None);
            Assert.Equal("application/problem+json", missing.Content.Headers.ContentType?.MediaType);
        }
        finally
        {
            program.Kill(entireProcessTree: true);
            await program.WaitForExitAsync(CancellationToken.None);
        }
    }

    /// <summary>Like <c>dotnet pack --no-build</c>, for all libraries in one process.</summary>
    private async Task PackAsync(string feed)
    {
        string[] libraries = ["Lintel.JmesPath", "Lintel.Transport", "Lintel", "Lintel.Control"];
        var projects = string.Join(';', libraries.Select(l => Path.Combine(Root, "src", l, l + ".csproj")));
        var properties = $"Configuration={GatewayProcess.Configuration};NoBuild=true;_IsPacking=true;PackageOutputPath={feed}";
        var all = _folder.Write(
            "all.proj",
            $"""
            <Project>
              <Target Name="Pack"><MSBuild Projects="{projects}" Targets="Pack" Properties="{properties}" /></Target>
            </Project>
            """
        );
        await DotnetAsync(Root, "msbuild", all, "-t:Pack", "-nologo", "-v:quiet");
    }

    /// <summary>The metadata that nuget.org shows of a package, and that debuggers need.</summary>
    private static async Task CheckAsync(string package)
    {
        await using var zip = await ZipFile.OpenReadAsync(package, CancellationToken.None);
        var names = zip.Entries.Select(e => e.FullName).ToList();
        Assert.Contains("README.md", names);
        Assert.Contains("icon.png", names);
        Assert.Contains(names, n => n.EndsWith(".xml", StringComparison.Ordinal) && n.StartsWith("lib/", StringComparison.Ordinal));
        using var reader = new StreamReader(
            await zip.Entries.Single(e => e.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).OpenAsync(CancellationToken.None)
        );
        var manifest = await reader.ReadToEndAsync(CancellationToken.None);
        foreach (
            var element in new[]
            {
                "<license type=\"expression\">Apache-2.0</license>",
                "<icon>icon.png</icon>",
                "<readme>README.md</readme>",
                "<repository type=\"git\" url=\"https://",
                "<tags>",
                "<description>",
                "<projectUrl>",
            }
        )
            Assert.Contains(element, manifest, StringComparison.Ordinal);
    }

    /// <summary>
    /// The sample's own files, with packages instead of projects. Other packages come from the folder that the build of the tests has
    /// filled.
    /// </summary>
    private async Task BuildSampleAsync(string feed)
    {
        foreach (
            var file in Directory
                .GetFiles(Path.Combine(Root, "samples/embedding"))
                .Where(f => !f.EndsWith(".csproj", StringComparison.Ordinal) && !f.EndsWith("lock.json", StringComparison.Ordinal))
        )
            _folder.Write("sample/" + Path.GetFileName(file), await File.ReadAllTextAsync(file, CancellationToken.None));
        _folder.Write(
            "sample/Sample.csproj",
            """
            <Project Sdk="Microsoft.NET.Sdk.Web">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <NuGetAudit>false</NuGetAudit>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="Lintel" Version="0.1.0" />
                <None Update="gateway.yaml" CopyToOutputDirectory="PreserveNewest" />
              </ItemGroup>
            </Project>
            """
        );
        var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget/packages");
        _folder.Write(
            "sample/nuget.config",
            $"""
            <configuration>
              <config><add key="globalPackagesFolder" value="{_folder["packages"]}" /></config>
              <packageSources><clear /><add key="local" value="{feed}" /></packageSources>
              <fallbackPackageFolders><clear /><add key="built" value="{packages}" /></fallbackPackageFolders>
            </configuration>
            """
        );
        await DotnetAsync(_folder["sample"], "build", "-c", "Release", "-o", "out", "-nologo", "-v", "quiet");
    }

    private static async Task DotnetAsync(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        await process.WaitForExitAsync(deadline.Token);
        Assert.True(process.ExitCode == 0, $"dotnet {string.Join(' ', arguments)}: {await output}{await errors}");
    }
}
