using System.Net;
using System.Security.Claims;
using Microsoft.AspNetCore;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using OpenIddict.Abstractions;
using OpenIddict.Server.AspNetCore;

namespace Lintel.Samples.Identity;

/// <summary>The provider's pages: choose a user, and leave again.</summary>
internal static class LoginPages
{
    private const string Cookies = CookieAuthenticationDefaults.AuthenticationScheme;

    private const string Server = OpenIddictServerAspNetCoreDefaults.AuthenticationScheme;

    public static void Map(WebApplication app)
    {
        app.MapGet("/", () => Page("The demo's identity provider", "<p>It logs users of the shop in. Open the shop to see it."));
        app.MapMethods("/authorize", [HttpMethods.Get, HttpMethods.Post], (Func<HttpContext, Task<IResult>>)AuthorizeAsync);
        app.MapMethods("/logout", [HttpMethods.Get, HttpMethods.Post], (Func<HttpContext, Task<IResult>>)LogOutAsync);
    }

    private static async Task<IResult> AuthorizeAsync(HttpContext context)
    {
        var request = context.GetOpenIddictServerRequest()!;
        var known = await context.AuthenticateAsync(Cookies);
        if (known.Principal?.FindFirstValue(ClaimTypes.NameIdentifier) is { } id && Find(id) is { } user)
            return Results.SignIn(IdentityProvider.PrincipalOf(user, request.GetScopes()), null, Server);
        if (
            HttpMethods.IsPost(context.Request.Method)
            && context.Request.Headers.Origin == $"{context.Request.Scheme}://{context.Request.Host}"
            && Find((string?)request["user"]) is { } chosen
        )
        {
            var identity = new ClaimsIdentity([new Claim(ClaimTypes.NameIdentifier, chosen.Id)], Cookies);
            await context.SignInAsync(Cookies, new ClaimsPrincipal(identity));
            return Results.SignIn(IdentityProvider.PrincipalOf(chosen, request.GetScopes()), null, Server);
        }

        var buttons = DemoAccounts.Users.Select(u =>
            $"<button name=user value=\"{Text(u.Id)}\">{Text(u.Name)} <small>{Text(u.Role)}, user {Text(u.Id)}</small></button>"
        );
        var hidden = request
            .GetParameters()
            .Where(p => p.Key != "user")
            .Select(p => $"<input type=hidden name=\"{Text(p.Key)}\" value=\"{Text((string?)p.Value)}\">");
        return Page("Who are you?", $"<form method=post>{string.Concat(hidden)}{string.Concat(buttons)}</form>");
    }

    private static async Task<IResult> LogOutAsync(HttpContext context)
    {
        await context.SignOutAsync(Cookies);
        return Results.SignOut(new AuthenticationProperties { RedirectUri = "/" }, [Server]);
    }

    private static DemoUser? Find(string? id) => DemoAccounts.Users.FirstOrDefault(u => u.Id == id);

    private static string Text(string? text) => WebUtility.HtmlEncode(text ?? "");

    private static IResult Page(string title, string content) =>
        Results.Content(
            $$"""
            <!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">
            <title>{{title}}</title>
            <style>
              body { font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 15vh auto; padding: 0 1rem; color: #1d2430 }
              button { display: block; width: 100%; margin: .6rem 0; padding: .7rem 1rem; font: inherit; text-align: left; border: 1px solid #c4ccd8; border-radius: 8px; background: #fff; cursor: pointer }
              button:hover { border-color: #2f5bd3 } small { color: #667085; float: right }
            </style>
            <h1>{{title}}</h1>
            {{content}}
            """,
            "text/html; charset=utf-8"
        );
}
