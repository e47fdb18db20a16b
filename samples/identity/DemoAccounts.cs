namespace Lintel.Samples.Identity;

/// <summary>A user of the demo. There are no passwords: whoever opens the page chooses who to be.</summary>
/// <param name="Id">The number of the user in the shop, and the subject of tokens.</param>
/// <param name="Name">The name, for the page.</param>
/// <param name="Role">The role in tokens.</param>
/// <param name="Scopes">What the user may do.</param>
internal sealed record DemoUser(string Id, string Name, string Role, string[] Scopes);

/// <summary>A client of the demo.</summary>
/// <param name="Id">Its identifier.</param>
/// <param name="Secret">Its secret: it is no secret.</param>
/// <param name="Scopes">The scopes that it gets on its own account; empty for none.</param>
internal sealed record DemoClient(string Id, string Secret, string[] Scopes);

/// <summary>Everybody whom the provider knows.</summary>
internal static class DemoAccounts
{
    /// <summary>Paths to which a client of a browser may return. The demo is at either name of this machine.</summary>
    public const string Callback = "/bff/callback";

    /// <summary>Where a browser goes after a logout.</summary>
    public const string AfterLogout = "/";

    /// <summary>The users.</summary>
    public static IReadOnlyList<DemoUser> Users { get; } =
    [new("42", "김서연", "customer", ["orders.read"]), new("7", "Ada", "support", ["orders.read", "users.read"])];

    /// <summary>The clients: the gateway, for users; a program without a user.</summary>
    public static IReadOnlyList<DemoClient> Clients { get; } =
    [new("shop", "shop-demo-secret", []), new("robot", "robot-demo-secret", ["orders.read"])];

    /// <summary>Whether a redirect of the demo leads back to this machine.</summary>
    public static bool IsOwn(string? address, string path) =>
        Uri.TryCreate(address, UriKind.Absolute, out var uri)
        && uri.IsLoopback
        && uri is { Scheme: "http", UserInfo: "", Query: "", Fragment: "" }
        && uri.AbsolutePath == path;
}
