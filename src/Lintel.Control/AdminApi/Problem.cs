using Microsoft.AspNetCore.Http;

namespace Lintel.Control.AdminApi;

/// <summary>A problem (RFC 9457).</summary>
internal sealed record Problem
{
    /// <summary>A stable identifier of the kind of problem, not a URL to fetch.</summary>
    public required string Type { get; init; }

    /// <summary>What went wrong, the same for all problems of this kind.</summary>
    public required string Title { get; init; }

    /// <summary>The status code.</summary>
    public required int Status { get; init; }

    /// <summary>What to do about it.</summary>
    public required string Detail { get; init; }
}

/// <summary>All problems of the admin address.</summary>
internal static class Problems
{
    public static Problem Unauthorized { get; } =
        Of(
            StatusCodes.Status401Unauthorized,
            "unauthorized",
            "A token is required",
            "Send `Authorization: Bearer TOKEN` with the value of `admin.token`."
        );

    public static Problem CrossOrigin { get; } =
        Of(
            StatusCodes.Status403Forbidden,
            "cross-origin",
            "Cross-origin requests are not allowed",
            "Set `admin.token` to allow access with a token."
        );

    public static Problem NotFound { get; } =
        Of(StatusCodes.Status404NotFound, "not-found", "Not found", "`/api/v1` lists the available resources.");

    public static Problem BadBody { get; } =
        Of(
            StatusCodes.Status400BadRequest,
            "bad-body",
            "The request body is not valid",
            "Send no body, or `{\"reason\": \"TEXT\"}` with `Content-Type: application/json` and a text of 1 to "
                + $"{InstanceChange.LongestReason} characters without line breaks and control characters."
        );

    public static Problem BodyTooLarge { get; } =
        Of(
            StatusCodes.Status413PayloadTooLarge,
            "body-too-large",
            "The request body is too large",
            $"At most {AdminLimits.BodyBytes / 1024} KiB are accepted, {AdminLimits.ReadBodyBytes / 1024} KiB where a body is read; no "
                + "request needs one."
        );

    public static Problem MisdirectedHost { get; } =
        Of(
            StatusCodes.Status421MisdirectedRequest,
            "misdirected-host",
            "The host name is not one of the admin address",
            "Without a token only `localhost`, loopback addresses and the configured address are accepted. Set `admin.token` to use "
                + "other names."
        );

    public static Problem Busy { get; } =
        Of(StatusCodes.Status503ServiceUnavailable, "busy", "Too many concurrent requests", "Try again later.");

    public static Problem MethodNotAllowed(string methods) =>
        Of(
            StatusCodes.Status405MethodNotAllowed,
            "method-not-allowed",
            "The method is not allowed",
            $"Use {methods.Replace(", ", " or ", StringComparison.Ordinal)}."
        );

    public static Problem NoSuch(string thing, string name) =>
        NotFound with
        {
            Title = $"Unknown {thing}",
            Detail = $"There is no {thing} named `{name}`.",
        };

    /// <param name="thing">What was looked for.</param>
    /// <param name="name">Its name in the request.</param>
    /// <param name="known">The names that there are; some of them are listed.</param>
    public static Problem NoSuch(string thing, string name, IEnumerable<string> known) =>
        NoSuch(thing, Short(name)) is var problem && List(known) is { } names
            ? problem with
            {
                Detail = $"{problem.Detail} Known: {names}.",
            }
            : problem;

    /// <param name="name">What several instances are called in the request.</param>
    /// <param name="known">The instances that there are; some of them are listed.</param>
    public static Problem Ambiguous(string name, IEnumerable<string> known) =>
        Of(
            StatusCodes.Status400BadRequest,
            "ambiguous-instance",
            "Several instances have this host and port",
            $"Use the address of one of them instead of `{Short(name)}`: {List(known)}."
        );

    private static string Short(string name) => name.Length <= 200 ? name : name[..200] + "…";

    private static string? List(IEnumerable<string> names)
    {
        var all = names.ToList();
        var shown = string.Join(", ", all.Take(10).Select(n => $"`{n}`"));
        return all.Count == 0 ? null
            : all.Count > 10 ? $"{shown} and {all.Count - 10} more"
            : shown;
    }

    private static Problem Of(int status, string slug, string title, string detail) =>
        new()
        {
            Type = "urn:problem-type:lintel:admin-" + slug,
            Title = title,
            Status = status,
            Detail = detail,
        };
}
