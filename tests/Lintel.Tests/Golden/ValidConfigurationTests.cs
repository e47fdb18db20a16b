using System.Text;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Config.Reading;
using Lintel.Policies;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Lintel.Tests.Golden;

public sealed class ValidConfigurationTests
{
    public static readonly string Folder = Path.Combine(Repository.Tests, "Golden", "valid");

    public static TheoryData<string> Cases =>
        [.. Directory.EnumerateFiles(Folder).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Problems_OfValidConfiguration_AreNone(string name) => Assert.Empty(Load(name).Report.Problems);

    [Fact]
    public void ShortForm_OfEverything_EqualsItsLongForm() => Assert.Equal(Load("long.yaml").Config, Load("short.yaml").Config);

    [Fact]
    public void Json_OfTheSameShape_EqualsYaml() => Assert.Equal(Load("long.yaml").Config, Load("long.json").Config);

    [Fact]
    public void Empty_File_IsTheDefaultConfiguration()
    {
        Assert.Equal(new GatewayConfig(), Load("empty.yaml").Config);
        Assert.Equal(new GatewayConfig(), Load("empty.json").Config);
    }

    [Fact]
    public void Everything_Read_HasTheValuesThatWereWritten()
    {
        var config = Load("everything.yaml").Config!;
        Assert.Equal("edge-1", config.Name);
        Assert.Equal(new ListenerAddress("::1", 8081), config.Listeners["grpc"].Address);
        Assert.Equal([ListenerProtocol.Http2], config.Listeners["grpc"].Protocols);
        Assert.Equal(3, config.TrustedProxies.From.Count);
        Assert.Equal(2, config.Services["orders"].Instances[1].Weight);
        Assert.Equal(("a", 1), (config.Services["orders"].Instances[1].Zone, config.Services["orders"].Instances[1].Priority));
        Assert.Equal(TimeSpan.FromSeconds(30), config.Services["orders"].SlowStart);
        Assert.Equal(new ZoneConfig { Own = "a", SpillOver = 60 }, config.Services["orders"].Zone);
        Assert.Equal(
            new AffinityConfig
            {
                Cookie = "lintel-orders",
                Lifetime = TimeSpan.FromHours(1),
                Key = "0123456789abcdef",
            },
            config.Services["orders"].Affinity
        );
        Assert.Equal(
            new BalancingConfig
            {
                ConsistentHash = new() { Header = "X-User", BoundedLoad = 125 },
            },
            config.Services["sessions"].Balancing
        );
        Assert.Equal(BalancingKind.ConsistentHash, config.Services["sessions"].Balancing.Kind);
        Assert.Equal(new BalancingConfig { Ewma = new() { Decay = TimeSpan.FromSeconds(5) } }, config.Services["latency"].Balancing);
        Assert.False(config.Services["orders"].GrpcWeb);
        Assert.Equal(
            new DiscoverConfig
            {
                Dns = "orders.internal:8080",
                Refresh = TimeSpan.FromSeconds(10),
                Server = "127.0.0.1:53",
                Scheme = "https",
                MaxInstances = 50,
                KeepFor = TimeSpan.FromHours(1),
            },
            config.Services["byName"].Discover
        );
        Assert.Equal("consul orders at https://consul.internal:8501", config.Services["byConsul"].Discover!.Source);
        Assert.Equal(TimeSpan.FromSeconds(30), config.Services["orders"].Connections.KeepAlivePing);
        Assert.Equal([Leniency.BareLf, Leniency.EqualLengths], config.Services["secure"].Lenient);
        Assert.Equal(
            new TimeoutsConfig
            {
                Connect = TimeSpan.FromSeconds(1),
                Request = TimeSpan.FromSeconds(10),
                Idle = TimeSpan.FromMinutes(2),
            },
            config.Services["orders"].Timeouts
        );
        Assert.Equal(TimeSpan.FromMilliseconds(500), config.Defaults.Timeouts.Connect);
        var match = config.Routes["orders"].Match;
        Assert.Equal(["/api/orders/{**rest}", "/v2/orders/{**rest}"], match.Paths);
        Assert.Equal("a", match.Headers["X-Old"].Not!.Prefix);
        Assert.False(match.Query["preview"].Present);
        Assert.Equal("b", match.Cookies["group"].Exact);
        Assert.Equal(
            [PathAllowance.EncodedSlashes, PathAllowance.Semicolons, PathAllowance.EmptySegments, PathAllowance.RawBytes],
            match.Allow
        );
        Assert.Equal(["api.example.com", "*.example.net", "*.xn--bcher-kva.example"], match.Hosts);
        Assert.Equal(["public", "grpc"], match.Listeners);
        Assert.Equal("https", match.Scheme);
        Assert.Equal(["forwarded", "x-real-ip", "x-forwarded-prefix"], config.Listeners["behind"].TrustedProxies!.Fields);
        Assert.Equal(new ValueMap<int> { ["orders"] = 95, ["users"] = 5 }, config.Routes["orders"].Forward!.Split);
        Assert.Equal(10, config.Routes["orders"].Forward!.Mirror!.Percent);
        Assert.Equal([], config.Routes["orders"].Policies);
        Assert.Null(config.Routes["teapot"].Policies);
        Assert.Equal("""{"kind":"teapot","cups":2,"hot":true,"owner":null}""", config.Routes["teapot"].Respond!.Body);
        Assert.Equal(308, config.Routes["old-docs"].Redirect!.Status);
        CheckCompositions(config);
        Assert.Equal(
            (ErrorLogFormat.Json, LogLevel.Warning, 1.0),
            (
                config.Observability.ErrorLog!.Format,
                config.Observability.ErrorLog.Level,
                config.Observability.ErrorLog.Rotate!.Every!.Value.TotalDays
            )
        );
        Assert.Equal(["websocket", "tcp", "SPDY/3.1"], config.Routes["attach"].Upgrades!);
        Assert.False(config.Observability.Metrics.Prometheus);
        Assert.Equal("edge", config.Admin.Token);
        Assert.Equal((TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10)), (config.DrainDelay, config.DrainTimeout));
        Assert.Equal(MemoryAmount.Size(256 << 20), config.Limits.Memory);
    }

    private static void CheckCompositions(GatewayConfig config)
    {
        var compose = config.Routes["dashboard"].Compose!;
        Assert.Equal(["user", "orders", "segment", "recommended", "products", "prices"], compose.Calls.Keys);
        Assert.Equal((TimeSpan.FromMilliseconds(800), ConflictRule.Last, false), (compose.Deadline, compose.Conflict, compose.Stream));
        Assert.Equal(
            new ComposeLimitsConfig
            {
                Call = 1 << 20,
                Total = 8 << 20,
                Requests = 200,
            },
            compose.Limits
        );
        var orders = compose.Calls["orders"];
        Assert.Equal(
            new CallRequestConfig
            {
                Method = "GET",
                Service = "orders",
                Target = "/orders?user={userId}&limit={query:limit}",
            },
            orders.Request
        );
        Assert.Equal([new FallbackConfig { Stale = true }, new FallbackConfig { Value = "[]" }], orders.Fallback);
        Assert.Equal(new HedgeConfig { After = TimeSpan.FromMilliseconds(50), Budget = 10 }, orders.Hedge);
        Assert.Equal(new HedgeConfig(), compose.Calls["user"].Hedge);
        Assert.Equal(
            new JoinConfig
            {
                Into = "orders",
                On = "id = productId",
                As = "product",
            },
            compose.Calls["products"].Join
        );
        Assert.Equal(
            (4, 50, (int?)50),
            (compose.Calls["products"].Concurrency, compose.Calls["products"].MaxItems, compose.Calls["prices"].Batch)
        );
        Assert.Equal("length(orders)", compose.Respond.Body!.Members!["lists"].Items![1].Items![1].Expression);
        Assert.Equal((200, (bool?)false), (compose.Variants["mobile"].Status, compose.Variants["mobile"].Errors));
        var reserve = config.Routes["checkout"].Compose!.Calls["reserve"];
        Assert.Equal(
            ("POST", "DELETE", TimeSpan.FromSeconds(2)),
            (reserve.Request.Method, reserve.Compensate!.Request.Method, reserve.Compensate.Timeout)
        );
        Assert.Equal("""{"a":1}""", config.Routes["feed"].Compose!.Calls["old"].Fallback.Single().Value);
    }

    [Fact]
    public void Overlay_OfTwoFiles_MergesMapsReplacesListsAndRemovesNulls()
    {
        var reading = GatewayReader.Load(Path.Combine(Folder, "base.yaml"), Path.Combine(Folder, "parts/over.yaml"));
        Assert.Empty(reading.Report.Problems);
        var config = reading.Config!;
        Assert.Equal(["users", "catalog"], config.Services.Keys);
        Assert.Equal([new Uri("http://10.0.0.1")], config.Services["users"].Instances.Select(i => i.Address));
        Assert.Equal(BalancingKind.Random, config.Services["users"].Balancing.Kind);
        Assert.Equal(
            new TimeoutsConfig { Connect = TimeSpan.FromSeconds(1), Request = TimeSpan.FromSeconds(2) },
            config.Services["users"].Timeouts
        );
        Assert.Equal(["users"], config.Routes.Keys);
    }

    [Fact]
    public void Include_OfFilesAndPatterns_LiesBelowTheIncludingFile()
    {
        var config = Load("includes.yaml").Config!;
        Assert.Equal(new Uri("http://127.0.0.1:9999"), config.Services["users"].Instances[0].Address);
        Assert.Equal(["orders", "users"], config.Services.Keys.Order());
        Assert.Equal(["orders", "users"], config.Routes.Keys.Order());
    }

    [Fact]
    public void Include_WhenRead_NamesAllFilesAndFoldersToWatch()
    {
        var document = ConfigDocument.Load([Path.Combine(Folder, "includes.yaml")], GatewayReader.TestEnvironment);
        string[] files = ["includes.yaml", "parts/services.yaml", "parts/routes/users.yaml", "parts/routes/orders.yaml"];
        Assert.Equal(
            files.Select(f => Path.Combine(Folder, f)).Order(StringComparer.Ordinal),
            document.Sources.Files.Order(StringComparer.Ordinal)
        );
        Assert.Equal([new WatchedDirectory(Path.Combine(Folder, "parts/routes"), IsDeep: false)], document.Sources.Folders);
    }

    [Fact]
    public void Expansion_OfVariablesDefaultsAndFiles_GivesTheirText()
    {
        var config = Load("expansion.yaml").Config!;
        Assert.Equal("edge", config.Name);
        Assert.Equal([5101, 5201, 5301], config.Services.Values.Select(s => s.Instances[0].Address.Port));
        Assert.Equal("localhost", config.Services["catalog"].Instances[0].Address.Host);
        Assert.Equal("${PRICE} costs $5, edge${NAME}", config.Routes["cost"].Respond!.Body);
        Assert.Equal("hush", config.Routes["secret"].Respond!.Body);
    }

    [Fact]
    public void Anchors_WithAliases_RepeatTheirValue()
    {
        var services = Load("anchors.yaml").Config!.Services;
        Assert.Equal(services["users"], services["copy"]);
        Assert.Equal(services["users"].Timeouts, services["other"].Timeouts);
    }

    [Theory]
    [InlineData("everything.yaml")]
    [InlineData("long.json")]
    [InlineData("told-apart.yaml")]
    public void Configuration_FromDotNetSettings_EqualsTheFile(string name)
    {
        var expected = Load(name);
        var settings = new Dictionary<string, string?>();
        Flatten(expected.Root, "Lintel", settings);
        var section = new ConfigurationBuilder().AddInMemoryCollection(settings).Build().GetSection("Lintel");

        var document = ConfigDocument.FromConfiguration(section, Folder);
        Assert.True(PolicyCatalog.Grammar.TryRead(document.Root, KeyPath.Root, document.Report, out var config));
        Assert.Empty(document.Report.Problems);

        // .NET's configuration has neither typed values nor null: a body that was written as a map is compared elsewhere.
        Assert.Equal(WithoutBodies(expected.Config!), WithoutBodies(config));
    }

    [Fact]
    public void Problem_InDotNetSettings_NamesItsKey()
    {
        var section = new ConfigurationBuilder()
            .AddInMemoryCollection(new Dictionary<string, string?> { ["Lintel:services:users"] = "nowhere" })
            .Build()
            .GetSection("Lintel");
        var document = ConfigDocument.FromConfiguration(section, Folder);
        PolicyCatalog.Grammar.TryRead(document.Root, KeyPath.Root, document.Report, out _);
        Assert.StartsWith(
            "Lintel:services:users: bad-value at services.users: `nowhere`",
            document.Report.Problems.Single().ToString(),
            StringComparison.Ordinal
        );
    }

    /// <summary>Reading a file in any state of editing returns a report and never throws.</summary>
    [Fact]
    public void Reading_OfMutilatedFiles_NeverThrows()
    {
        var random = new Random(20261123);
        var texts = Directory.EnumerateFiles(Folder).Select(f => (Name: Path.GetFileName(f), Text: File.ReadAllText(f))).ToList();
        string[] pieces =
        [
            "{",
            "}",
            "[",
            "]",
            ":",
            ": ",
            "- ",
            "\n",
            "\t",
            "\"",
            "'",
            "&a ",
            "*a",
            "!!str ",
            "|",
            ">",
            "?",
            "#",
            "%",
            "null",
            "${",
            "}",
            ",",
            "--- ",
            "\0",
            "é",
            "{**",
            "//",
            "-1",
            "0",
            "`",
            "[?",
            "|",
            "&",
            "..",
            "(",
            "item",
            "request",
            "@",
        ];
        var broken = 0;
        for (var i = 0; i < 4000; i++)
        {
            var (name, text) = texts[random.Next(texts.Count)];
            var mutilated = new StringBuilder(text);
            for (var edits = random.Next(1, 4); edits > 0 && mutilated.Length > 2; edits--)
            {
                var at = random.Next(mutilated.Length);
                if (random.Next(2) == 0)
                    mutilated.Remove(at, Math.Min(random.Next(1, 12), mutilated.Length - at));
                else
                    mutilated.Insert(at, pieces[random.Next(pieces.Length)]);
            }

            try
            {
                broken += GatewayReader.Parse(mutilated.ToString(), name).Report.IsValid ? 0 : 1;
            }
            catch (Exception e)
            {
                Assert.Fail($"{name}, edit {i}: {e}\n{mutilated}");
            }
        }

        Assert.InRange(broken, 1000, 4000);
    }

    private static GatewayConfig WithoutBodies(GatewayConfig config) =>
        config with
        {
            Routes = new ValueMap<RouteConfig>(
                config.Routes.Select(r =>
                    KeyValuePair.Create(
                        r.Key,
                        r.Value with
                        {
                            Respond = r.Value.Respond is { } respond ? respond with { Body = "" } : null,
                            Compose = r.Value.Compose is { } compose
                                ? compose with
                                {
                                    Calls = new ValueMap<CallConfig>(
                                        compose.Calls.Select(c => KeyValuePair.Create(c.Key, WithoutValues(c.Value)))
                                    ),
                                }
                                : null,
                        }
                    )
                )
            ),
        };

    private static CallConfig WithoutValues(CallConfig call) =>
        call with
        {
            Fallback = [.. call.Fallback.Select(f => f with { Value = f.Value is null ? null : "" })],
        };

    private static void Flatten(ConfigNode node, string key, Dictionary<string, string?> settings)
    {
        switch (node)
        {
            case MapNode map:
                foreach (var entry in map.Entries)
                    Flatten(entry.Value, key + ":" + entry.Key, settings);
                break;
            case ListNode { Items.Count: 0 }:
                settings[key] = "";
                break;
            case ListNode list:
                for (var i = 0; i < list.Items.Count; i++)
                    Flatten(list.Items[i], $"{key}:{i}", settings);
                break;
            case ScalarNode scalar:
                settings[key] = scalar.Text;
                break;
        }
    }

    private static Lintel.Runtime.SourceReading Load(string name)
    {
        var reading = GatewayReader.Load(Path.Combine(Folder, name));
        Assert.Empty(reading.Report.Problems);
        return reading;
    }
}
