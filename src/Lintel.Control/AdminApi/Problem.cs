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

    public static Problem MethodNotAllowed { get; } =
        Of(
            StatusCodes.Status405MethodNotAllowed,
            "method-not-allowed",
            "The method is not allowed",
            "The admin API is read-only: use GET or HEAD."
        );

    public static Problem BodyTooLarge { get; } =
        Of(
            StatusCodes.Status413PayloadTooLarge,
            "body-too-large",
            "The request body is too large",
            $"At most {AdminLimits.BodyBytes / 1024} KiB are accepted, and no request needs a body."
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

    public static Problem NoSuch(string thing, string name) =>
        NotFound with
        {
            Title = $"Unknown {thing}",
            Detail = $"There is no {thing} named `{name}`.",
        };

    private static Problem Of(int status, string slug, string title, string detail) =>
        new()
        {
            Type = "urn:problem-type:lintel:admin-" + slug,
            Title = title,
            Status = status,
            Detail = detail,
        };
}
