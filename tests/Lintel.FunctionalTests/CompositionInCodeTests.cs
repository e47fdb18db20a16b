using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Lintel.Config;
using Lintel.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Lintel.FunctionalTests;

/// <summary>Compositions made in code, inside a program of one's own, and answers that a delegate shapes.</summary>
[AnyTransport]
public sealed partial class CompositionInCodeTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Composition_MadeInCode_DoesWhatTheFilesDo()
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        await using var app = await StartAsync(
            service,
            new ComposeConfig
            {
                Deadline = TimeSpan.FromSeconds(10),
                Calls = new()
                {
                    ["user"] = new() { Request = Get("/users/{id}"), Passthrough = [404] },
                    ["orders"] = new()
                    {
                        Request = Get("/orders?user={user.id}"),
                        Optional = true,
                        Fallback = [new() { Stale = true }, new() { Value = "[]" }],
                    },
                    ["products"] = new()
                    {
                        Request = Get("/products?ids={items}"),
                        ForEach = "orders[*].product",
                        Batch = 10,
                        Join = new()
                        {
                            Into = "orders",
                            On = "id = product",
                            As = "item",
                        },
                    },
                    ["broken"] = new() { Request = Get("/broken"), Optional = true },
                },
                Respond = new()
                {
                    Body = new ShapeConfig
                    {
                        Members = new()
                        {
                            ["name"] = new() { Expression = "user.name" },
                            ["items"] = new() { Items = [new() { Expression = "orders[*].item.id" }] },
                        },
                    },
                    Headers = new() { ["X-Name"] = "user.name" },
                    Errors = true,
                    Status = 203,
                },
            }
        );
        var response = await app.Client.GetAsync(new Uri("/shop/7", UriKind.Relative), None);
        Assert.Equal(203, (int)response.StatusCode);
        Assert.Equal("Ada", response.Headers.GetValues("X-Name").Single());
        var body = JsonNode.Parse(await response.Content.ReadAsStringAsync(None))!;
        Assert.Equal(
            """{"name":"Ada","items":[[3,4,3]]}""",
            new JsonObject { ["name"] = body["name"]!.DeepClone(), ["items"] = body["items"]!.DeepClone() }.ToJsonString()
        );
        Assert.Equal("broken", (string?)body["_errors"]![0]!["call"]);
        Assert.Single(service.Seen, r => r.Target.StartsWith("/products", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync(new Uri("/shop/9", UriKind.Relative), None)).StatusCode);
    }

    [Fact]
    public async Task Delegate_InThePlaceOfExpressions_SeesPartsAsTypes()
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        await using var app = await StartAsync(
            service,
            Shaped(parts =>
            {
                Assert.False(parts.Has("broken"));
                Assert.Null(parts.Get("broken", ShopTypes.Default.User));
                Assert.Equal("""{"id": 7, "name":"Ada"}""", Encoding.UTF8.GetString(parts.Json("user").Span).Trim()); // as the service wrote it
                var user = parts.Get("user", ShopTypes.Default.User)!;
                var orders = parts.Get("orders", ShopTypes.Default.ListOrder)!; // joined
                return new Page(user.Name, orders.Sum(o => o.Total), [.. orders.Select(o => o.Item!.Id)]);
            })
        );
        var response = await app.Client.GetAsync(new Uri("/shop/7", UriKind.Relative), None);
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        Assert.StartsWith(
            """{"name":"Ada","total":6.75,"items":[3,4,3],"_errors":[{""",
            await response.Content.ReadAsStringAsync(None),
            StringComparison.Ordinal
        );
        Assert.Matches(
            "^user;s=200;d=\\d+, orders;s=200;d=\\d+, products;n=2;d=\\d+, broken;s=500;err=call-failed;d=\\d+$",
            response.Headers.GetValues("Composition").Single()
        );
    }

    /// <summary>
    /// A blocking callback blocks an event loop and all its connections: after 10 s only a restart helps, and the watchdog and
    /// <c>/health/live</c> report it.
    /// </summary>
    [Fact]
    public async Task Delegate_ThatBlocks_HoldsItsLoop_AndTheGatewayCountsAsHungUntilItReturns()
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable("LINTEL_TRANSPORT") == "sockets", "there are no event loops");
        using var release = new ManualResetEventSlim();
        await using var service = await TestService.StartAsync(AnswerAsync);
        await using var app = await StartAsync(
            service,
            Shaped(_ =>
            {
                release.Wait(GatewayProcess.Patience);
                return new Page("x", 0, []);
            })
        );
        var gateway = app.Application.Services.GetRequiredService<Hosting.Gateway>();
        var answer = app.Client.GetAsync(new Uri("/shop/7", UriKind.Relative), None);
        await Until.SeenAsync(() => gateway.IsHung ? app : null);
        await Until.SeenAsync(() => app.Log.Any(l => l.Contains("the process is reported as hung", StringComparison.Ordinal)) ? app : null);
        Assert.False(answer.IsCompleted);
        release.Set();
        Assert.Equal(HttpStatusCode.OK, (await answer).StatusCode);
        await Until.TrueAsync(() => !gateway.IsHung); // the answer leaves within the callback that held the loop
    }

    [Fact]
    public async Task Delegate_AmongExpressions_IsOneValueOfThem()
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        var compose = Shaped(parts => new Page("x", 0, []));
        await using var app = await StartAsync(
            service,
            compose with
            {
                Respond = new()
                {
                    Body = new()
                    {
                        Members = new()
                        {
                            ["user"] = new() { Expression = "user.name" },
                            ["page"] = compose.Respond.Body!,
                        },
                    },
                },
            }
        );
        Assert.Equal(
            """{"user":"Ada","page":{"name":"x","total":0,"items":[]}}""",
            await app.Client.GetStringAsync(new Uri("/shop/7", UriKind.Relative), None)
        );
    }

    [Theory]
    [InlineData("throws")]
    [InlineData("unknown call")]
    [InlineData("wrong type")]
    [InlineData("fails halfway")]
    public async Task Delegate_ThatFails_IsATypedErrorWithItsCauseInTheLog(string how)
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        await using var app = await StartAsync(
            service,
            Shaped(parts =>
                how switch
                {
                    "throws" => throw new InvalidOperationException("secret"),
                    "unknown call" => new Page(Encoding.UTF8.GetString(parts.Json("nobody").Span), 0, []),
                    "wrong type" => new Page(parts.Get("orders", ShopTypes.Default.User)!.Name, 0, []),
                    _ => new Page("begun", 0, Endless()),
                }
            )
        );
        var response = await app.Client.GetAsync(new Uri("/shop/7", UriKind.Relative), None);
        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        var text = await response.Content.ReadAsStringAsync(None);
        Assert.Equal("urn:problem-type:lintel:expression-failed", (string?)JsonNode.Parse(text)!["type"]);
        Assert.DoesNotContain("secret", text, StringComparison.Ordinal);
        Assert.DoesNotContain("begun", text, StringComparison.Ordinal);
        var cause = how switch
        {
            "throws" => "secret",
            "unknown call" => "no call `nobody`",
            "wrong type" => "JSON value could not be converted",
            _ => "halfway",
        };
        // it is written when the answer is out
        var line = await Until.SeenAsync(() => app.Log.FirstOrDefault(l => l.Contains("expression-failed", StringComparison.Ordinal)));
        Assert.Contains(cause, line, StringComparison.Ordinal);

        static IEnumerable<int> Endless()
        {
            for (var i = 0; i < 100_000; i++)
                yield return i;
            throw new InvalidOperationException("halfway");
        }
    }

    [Fact]
    public async Task Answer_OfOtherCode_HasAnotherTag()
    {
        await using var service = await TestService.StartAsync(async context =>
        {
            context.Response.Headers.ETag = "\"1\"";
            await AnswerAsync(context);
        });
        var tags = new List<string>();
        foreach (var compose in new[] { Tagged(parts => new Page("a", 0, [])), Tagged(parts => new Page("b", 0, [])) })
        {
            await using var app = await StartAsync(service, compose);
            using var first = await app.Client.GetAsync(new Uri("/shop/7", UriKind.Relative), None);
            tags.Add(first.Headers.ETag!.ToString());
            using var request = new HttpRequestMessage(HttpMethod.Get, "/shop/7") { Headers = { { "If-None-Match", tags[^1] } } };
            Assert.Equal(HttpStatusCode.NotModified, (await app.Client.SendAsync(request, None)).StatusCode);
        }

        Assert.NotEqual(tags[0], tags[1]);

        static ComposeConfig Tagged(Func<ComposedParts, Page> shape) =>
            new()
            {
                Calls = new() { ["user"] = new() { Request = Get("/users/{id}") } },
                Respond = new() { Body = ShapeConfig.From(shape, ShopTypes.Default.Page) },
            };
    }

    public static TheoryData<string, ComposeConfig> Mistakes() =>
        new()
        {
            {
                "the composition has no calls",
                new ComposeConfig { Calls = [] }
            },
            {
                "`a-b` is not a valid call name",
                new ComposeConfig { Calls = new() { ["a-b"] = new() { Request = Get("/") } } }
            },
            { "this one is 0 of them", With(new() { Request = Post("/"), Body = new ShapeConfig() }) },
            {
                "this one is 2 of them",
                With(
                    new()
                    {
                        Request = Post("/"),
                        Body = new ShapeConfig { Expression = "request", Items = [] },
                    }
                )
            },
            {
                "code sees all calls",
                With(new() { Request = Post("/"), Body = ShapeConfig.From(p => new Page("", 0, []), ShopTypes.Default.Page) })
            },
            {
                "`Join` and `Batch` require `ForEach`",
                With(
                    new()
                    {
                        Request = Get("/"),
                        Join = new()
                        {
                            Into = "x",
                            On = "a = b",
                            As = "c",
                        },
                    }
                )
            },
            {
                "`Concurrency` must be from 1 to 100",
                With(
                    new()
                    {
                        Request = Get("/{item}"),
                        ForEach = "`[1]`",
                        Concurrency = 0,
                    }
                )
            },
            {
                "a `Value` that is JSON",
                With(
                    new()
                    {
                        Request = Get("/"),
                        Optional = true,
                        Fallback = [new() { Value = "{" }],
                    }
                )
            },
            { "a required call cannot have a fallback", With(new() { Request = Get("/"), Fallback = [new() { Stale = true }] }) },
            { "a request with side effects", With(new() { Request = Post("/"), Hedge = new() }) },
            {
                "a request with a safe method needs no compensation",
                With(
                    new()
                    {
                        Request = Get("/"),
                        Compensate = new() { Request = Post("/") },
                    }
                )
            },
            { "`get` is not a method that a call can use", With(new() { Request = Get("/") with { Method = "get" } }) },
            { "from 200 to 299", With(new() { Request = Get("/") }) with { Respond = new() { Status = 404 } } },
            { "1 ms to 1 h", With(new() { Request = Get("/"), Timeout = TimeSpan.Zero }) },
            {
                "`Stream` sends the part of each call",
                With(new() { Request = Get("/") }) with
                {
                    Stream = true,
                    Respond = new() { Status = 201 },
                }
            },
        };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public async Task Mistake_InCode_IsToldAtTheStart(string message, ComposeConfig compose)
    {
        await using var service = await TestService.StartAsync(AnswerAsync);
        var refusal = await Assert.ThrowsAsync<ConfigException>(() => StartAsync(service, compose));
        var problem = Assert.Single(refusal.Report.Problems);
        Assert.Contains(message, problem.Message, StringComparison.Ordinal);
        Assert.StartsWith("routes.shop.compose", problem.Path, StringComparison.Ordinal);
        Assert.NotNull(problem.Hint);
    }

    private static ComposeConfig With(CallConfig call) => new() { Calls = new() { ["x"] = call } };

    private static CallRequestConfig Get(string target) => new() { Service = "s", Target = target };

    private static CallRequestConfig Post(string target) =>
        new()
        {
            Service = "s",
            Method = "POST",
            Target = target,
        };

    private static ComposeConfig Shaped(Func<ComposedParts, Page> shape) =>
        new()
        {
            Calls = new()
            {
                ["user"] = new() { Request = Get("/users/{id}") },
                ["orders"] = new() { Request = Get("/orders?user={id}") },
                ["products"] = new()
                {
                    Request = Get("/products/{item}"),
                    ForEach = "orders[*].product",
                    Join = new()
                    {
                        Into = "orders",
                        On = "id = product",
                        As = "item",
                    },
                },
                ["broken"] = new() { Request = Get("/broken"), Optional = true },
            },
            Respond = new() { Errors = true, Body = ShapeConfig.From(shape, ShopTypes.Default.Page) },
        };

    private static async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        context.Response.StatusCode =
            path is "/users/9" ? 404
            : path is "/broken" ? 500
            : 200;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(
            path switch
            {
                "/users/7" => """ {"id": 7, "name":"Ada"} """,
                "/orders" => """[{"product":3,"total":1.50},{"product":4,"total":5.00},{"product":3,"total":0.25}]""",
                "/products" => """[{"id":3},{"id":4}]""",
                _ => $$"""{"id":{{path.Split('/')[^1].Replace("broken", "0", StringComparison.Ordinal)}}}""",
            }
        );
    }

    private static async Task<Embedded> StartAsync(TestService service, ComposeConfig compose)
    {
        var builder = WebApplication.CreateSlimBuilder();
        var app = new Embedded();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders().AddProvider(new LogLines(app.Log));
        builder.Services.AddLintel(
            new GatewayConfig
            {
                Services = new() { ["s"] = new ServiceConfig { Instances = [new InstanceConfig { Address = new Uri(service.Address) }] } },
                Routes = new()
                {
                    ["shop"] = new RouteConfig
                    {
                        Match = new MatchConfig { Methods = ["GET"], Paths = ["/shop/{id}"] },
                        Compose = compose,
                    },
                },
                Observability = new ObservabilityConfig { AccessLog = new AccessLogConfig { To = "none" } },
            }
        );
        app.Application = builder.Build();
        app.Application.MapLintel();
        try
        {
            await app.Application.StartAsync(None);
        }
        catch
        {
            await app.Application.DisposeAsync();
            throw;
        }

        app.Client = new HttpClient { BaseAddress = new Uri(app.Application.Urls.First()) };
        return app;
    }

    internal sealed record User(int Id, string Name);

    internal sealed record Product(int Id);

    internal sealed record Order(int Product, decimal Total, Product? Item);

    internal sealed record Page(string Name, decimal Total, IEnumerable<int> Items);

    [JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
    [JsonSerializable(typeof(User))]
    [JsonSerializable(typeof(List<Order>))]
    [JsonSerializable(typeof(Page))]
    internal sealed partial class ShopTypes : JsonSerializerContext;

    private sealed class Embedded : IAsyncDisposable
    {
        public System.Collections.Concurrent.ConcurrentQueue<string> Log { get; } = new();

        public WebApplication Application { get; set; } = null!;

        public HttpClient Client { get; set; } = null!;

        public async ValueTask DisposeAsync()
        {
            Client.Dispose();
            await Application.StopAsync();
            await Application.DisposeAsync();
        }
    }
}
