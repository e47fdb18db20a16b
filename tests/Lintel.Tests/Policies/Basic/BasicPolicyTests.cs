using System.Text;
using Lintel.Identities;
using Lintel.Policies.Basic;
using Microsoft.Extensions.Time.Testing;

namespace Lintel.Tests.Policies.Basic;

public sealed class BasicPolicyTests
{
    private static readonly string Kim = PasswordHash.Create("pa:ss wörd"u8, PasswordHash.LeastIterations).ToConfig();
    private static readonly string Lee = PasswordHash.Create("other"u8, PasswordHash.LeastIterations).ToConfig();

    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2026-11-28T12:00:00Z"));

    [Fact]
    public async Task Request_OfAUserWithItsPassword_IsAdmitted()
    {
        using var gateway = Start();
        Assert.Equal(200, (await GetAsync(gateway, "kim:pa:ss wörd")).Status);
        Assert.Equal(200, (await GetAsync(gateway, "kim:pa:ss wörd")).Status);
        Assert.Equal(200, (await GetAsync(gateway, "Jürgen:other")).Status);
        var encoded = Convert.ToBase64String("kim:pa:ss wörd"u8);
        Assert.Equal(200, (await gateway.GetAsync("/x", ("Authorization", "bASIC   " + encoded))).Status);
    }

    [Theory]
    [InlineData("kim:wrong")]
    [InlineData("kim:other")]
    [InlineData("kim:")]
    [InlineData("Kim:pa:ss wörd")]
    [InlineData("nobody:other")]
    [InlineData(":other")]
    public async Task Request_WithAnythingElse_GetsTheSameAnswer(string credentials)
    {
        using var gateway = Start();
        Assert.Equal(200, (await GetAsync(gateway, "kim:pa:ss wörd")).Status);
        var answer = await GetAsync(gateway, credentials);
        Assert.Equal((401, "Basic realm=\"the \\\"shop\\\"\", charset=\"UTF-8\""), (answer.Status, answer["WWW-Authenticate"]));
        Assert.Equal("the user or the password is not valid", (string?)answer.Json["detail"]);
    }

    [Theory]
    [InlineData("Basic")]
    [InlineData("Basic !!!!")]
    [InlineData("Basic a2lt OnBh")]
    [InlineData("Basic a2lt")] // no colon
    [InlineData("Basic a2ltOgA=")] // a control character
    [InlineData("Basic a2ltOv8=")] // not UTF-8
    [InlineData("Basic a2ltOg")] // without its padding
    [InlineData("Bearer abc")]
    public async Task Request_WithMalformedCredentials_IsRefused(string value)
    {
        using var gateway = Start();
        Assert.Equal(401, (await gateway.GetAsync("/x", ("Authorization", value))).Status);
    }

    [Fact]
    public async Task Request_WithTwoCredentials_OrVeryLongOnes_IsRefused()
    {
        using var gateway = Start();
        var right = "Basic " + Convert.ToBase64String("kim:pa:ss wörd"u8);
        Assert.Equal(401, (await gateway.GetAsync("/x", ("Authorization", right), ("Authorization", right))).Status);
        Assert.Equal(401, (await GetAsync(gateway, "kim:" + new string('a', 5000))).Status);
    }

    [Fact]
    public async Task User_WithRolesAndScopes_MeetsRules()
    {
        using var gateway = Start();
        Assert.Equal(200, (await GetAsync(gateway, "kim:pa:ss wörd", "/role")).Status);
        Assert.Equal(200, (await GetAsync(gateway, "kim:pa:ss wörd", "/scope")).Status);
        Assert.Equal(403, (await GetAsync(gateway, "Jürgen:other", "/role")).Status);
        Assert.Equal("kim", (await GetAsync(gateway, "kim:pa:ss wörd", "/who"))["X-Who"]);
    }

    [Fact]
    public async Task Password_IsRememberedForAWhile_AndWrongOnesAreNot()
    {
        using var checks = new PasswordChecks(_time, atATime: 1);
        Assert.True(PasswordHash.TryParse(Lee, out var hash));
        var user = new BasicUser(new CallerIdentity("basic", ClaimSet.None), hash);
        Assert.False(await checks.CheckAsync(user, "wrong"u8.ToArray(), default));
        Assert.Null(user.Last);
        Assert.True(await checks.CheckAsync(user, "other"u8.ToArray(), default));
        var first = user.Last;
        Assert.NotNull(first);
        Assert.DoesNotContain("other", Encoding.UTF8.GetString(first.Mac), StringComparison.Ordinal);
        Assert.True(await checks.CheckAsync(user, "other"u8.ToArray(), default));
        Assert.Same(first, user.Last);
        _time.Advance(PasswordChecks.Memory);
        Assert.True(await checks.CheckAsync(user, "other"u8.ToArray(), default));
        Assert.NotSame(first, user.Last);
    }

    [Fact]
    public async Task Checks_ThatGetNoTurnInTime_AreGivenUp()
    {
        using var checks = new PasswordChecks(_time, atATime: 0);
        var user = new BasicUser(null, PasswordHash.OfNothing(PasswordHash.LeastIterations));
        using var client = new CancellationTokenSource();
        var first = checks.CheckAsync(user, "b"u8.ToArray(), default).AsTask();
        var second = checks.CheckAsync(user, "c"u8.ToArray(), client.Token).AsTask();
        Assert.Equal(2, checks.Waiting);
        await client.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        _time.Advance(PasswordChecks.Patience);
        Assert.Null(await first);
        var waiting = Enumerable
            .Range(0, PasswordChecks.MaxWaiting)
            .Select(_ => checks.CheckAsync(user, "d"u8.ToArray(), default).AsTask())
            .ToList();
        Assert.Null(await checks.CheckAsync(user, "e"u8.ToArray(), default));
        _time.Advance(PasswordChecks.Patience);
        Assert.All(await Task.WhenAll(waiting), r => Assert.Null(r));
        Assert.Equal(0, checks.Waiting);
    }

    private static Task<MemoryAnswer> GetAsync(MemoryGateway gateway, string credentials, string path = "/x") =>
        gateway.GetAsync(path, ("Authorization", "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(credentials))));

    private MemoryGateway Start() =>
        new(
            $$"""
            policies:
              operators:
                basic:
                  realm: the "shop"
                  users:
                    kim: { password: "{{Kim}}", roles: admin, scopes: [orders.read, orders.write] }
                    Jürgen: "{{Lee}}"
              admin: { authorize: { role: admin } }
              writer: { authorize: { scope: orders.write } }
            routes:
              x: { match: "/x", respond: { body: in }, policies: [operators] }
              role: { match: "/role", respond: { body: in }, policies: [operators, admin] }
              scope: { match: "/scope", respond: { body: in }, policies: [writer, operators] }
              who: { match: "/who", respond: { headers: { X-Who: "{claim:sub}" } }, policies: [operators] }
            """,
            time: _time
        );
}
