using System.Globalization;

namespace Lintel.Samples.Shop.Users;

/// <summary>What only the users service has.</summary>
internal static class UserEndpoints
{
    public const string Help = """
        Users
          GET    /users          50 of them; ?city=Seoul&page=1&size=20
          GET    /users/{id}     one, such as /users/42
          POST   /users          {"name":"Ada Lovelace","email":"ada@example.com","city":"London","segmentId":"gold"}
                                 city and segmentId may be left out
          GET    /segments/{id}  new | regular | gold | business
        """;

    private const string Example = """{"name":"Ada Lovelace","email":"ada@example.com"}""";
    private const int LargestPage = 100;
    private const int LongestText = 200;

    public static void Map(WebApplication app, UserStore store)
    {
        app.MapMethods("/users", CommonEndpoints.Read, context => ListAsync(context, store));
        app.MapMethods("/users/{id}", CommonEndpoints.Read, context => GetAsync(context, store));
        app.MapPost("/users", context => AddAsync(context, store));
        app.MapMethods("/segments/{id}", CommonEndpoints.Read, SegmentAsync);
    }

    private static Task ListAsync(HttpContext context, UserStore store)
    {
        var errors = new Dictionary<string, string>();
        var page = Input.QueryInt(context, "page", 1, (1, 1_000_000), errors) ?? 1;
        var size = Input.QueryInt(context, "size", 20, (1, LargestPage), errors) ?? 20;
        return errors.Count > 0
            ? Answers.BadRequestAsync(context, errors)
            : Answers.JsonAsync(context, ShopJson.Wire.UserPage, store.List(Input.QueryText(context, "city"), page, size));
    }

    private static Task GetAsync(HttpContext context, UserStore store) =>
        Input.RouteId(context) is { } id && store.Find(id) is { } user
            ? Answers.JsonAsync(context, ShopJson.Wire.User, user)
            : Answers.NotFoundAsync(context, $"There is no user {context.Request.RouteValues["id"]}.");

    private static Task SegmentAsync(HttpContext context) =>
        context.Request.RouteValues["id"] is string id && UserSeed.Segments.FirstOrDefault(segment => segment.Id == id) is { } segment
            ? Answers.JsonAsync(context, ShopJson.Wire.Segment, segment)
            : Answers.NotFoundAsync(context, $"There is no segment {context.Request.RouteValues["id"]}.");

    private static async Task AddAsync(HttpContext context, UserStore store)
    {
        if (await Input.BodyAsync(context, ShopJson.Wire.NewUser, Example) is not { } wanted)
            return;
        if (Check(wanted) is { Count: > 0 } errors)
        {
            await Answers.BadRequestAsync(context, errors);
            return;
        }

        switch (store.Add(wanted, out var user))
        {
            case UserAdded.EmailTaken:
                await Answers.ProblemAsync(context, StatusCodes.Status409Conflict, $"Another user has the email {wanted.Email}.");
                break;
            case UserAdded.Full:
                const string Advice = "This sample holds no more users; start it anew.";
                await Answers.ProblemAsync(context, StatusCodes.Status507InsufficientStorage, Advice);
                break;
            default:
                context.Response.Headers.Location = string.Create(CultureInfo.InvariantCulture, $"/users/{user!.Id}");
                await Answers.JsonAsync(context, ShopJson.Wire.User, user, StatusCodes.Status201Created);
                break;
        }
    }

    private static Dictionary<string, string> Check(NewUser wanted)
    {
        var errors = new Dictionary<string, string>();
        if (string.IsNullOrWhiteSpace(wanted.Name) || wanted.Name.Length > LongestText)
            errors["name"] = "is a text of 1 to 200 characters";
        if (!IsEmail(wanted.Email))
            errors["email"] = "is an address such as ada@example.com";
        if (wanted.City is { } city && (string.IsNullOrWhiteSpace(city) || city.Length > LongestText))
            errors["city"] = "is a text of 1 to 200 characters, or left out";
        if (wanted.SegmentId is { } segmentId && !UserSeed.Segments.Any(segment => segment.Id == segmentId))
            errors["segmentId"] = $"is one of {string.Join(", ", UserSeed.Segments.Select(segment => segment.Id))}, or left out";
        return errors;
    }

    /// <summary>Enough to catch a slip: something, one @, and a domain with a dot inside. Only a letter sent there proves more.</summary>
    private static bool IsEmail(string? email)
    {
        if (email is null or { Length: > LongestText } || email.Any(c => char.IsWhiteSpace(c) || char.IsControl(c)))
            return false;
        return email.Split('@') is [{ Length: > 0 }, var domain]
            && domain.Split('.') is { Length: > 1 } labels
            && labels.All(label => label.Length > 0);
    }
}
