using Microsoft.AspNetCore.Http;

namespace Lintel.Control.AdminApi;

/// <summary>A refusal (RFC 9457).</summary>
internal sealed record Problem
{
    /// <summary>A stable identifier of the kind of problem, not an address to fetch.</summary>
    public required string Type { get; init; }

    /// <summary>What went wrong, the same for all problems of this kind.</summary>
    public required string Title { get; init; }

    /// <summary>The status code.</summary>
    public required int Status { get; init; }

    /// <summary>What would be right.</summary>
    public required string Detail { get; init; }
}

/// <summary>All refusals of the admin address.</summary>
internal static class Problems
{
    public static Problem Unauthorized { get; } =
        Of(
            StatusCodes.Status401Unauthorized,
            "unauthorized",
            "A token is needed",
            "Send `Authorization: Bearer TOKEN` with the value of `admin.token`."
        );

    public static Problem CrossOrigin { get; } =
        Of(
            StatusCodes.Status403Forbidden,
            "cross-origin",
            "Pages of other origins are not answered",
            "Set `admin.token` to let other programs in."
        );

    public static Problem NotFound { get; } =
        Of(StatusCodes.Status404NotFound, "not-found", "There is nothing here", "`/api/v1` lists what there is.");

    public static Problem MethodNotAllowed { get; } =
        Of(
            StatusCodes.Status405MethodNotAllowed,
            "method-not-allowed",
            "The method is not allowed here",
            "The admin address is for reading: GET and HEAD."
        );

    public static Problem BodyTooLarge { get; } =
        Of(
            StatusCodes.Status413PayloadTooLarge,
            "body-too-large",
            "The request body is too large",
            $"At most {AdminLimits.BodyBytes / 1024} KiB are taken, and none is needed."
        );

    public static Problem MisdirectedHost { get; } =
        Of(
            StatusCodes.Status421MisdirectedRequest,
            "misdirected-host",
            "The host name is not the admin address's",
            "Without a token only `localhost`, loopback addresses and the configured address are answered. Set `admin.token` to use "
                + "other names."
        );

    public static Problem Busy { get; } =
        Of(StatusCodes.Status503ServiceUnavailable, "busy", "Too many requests at one time", "Try again later.");

    public static Problem NoSuch(string thing, string name) =>
        NotFound with
        {
            Title = $"There is no such {thing}",
            Detail = $"No {thing} is named `{name}`.",
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
