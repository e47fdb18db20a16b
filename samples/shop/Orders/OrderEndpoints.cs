using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Lintel.Samples.Shop.Orders;

/// <summary>What only the orders service has.</summary>
internal static class OrderEndpoints
{
    public const string Help = $$"""
        Orders
          GET    /orders              400 of them, the newest first; ?user=42&status=delivered
          GET    /orders/{id}         one, such as /orders/42
          POST   /orders              {{Example}}
          GET    /orders/{id}/events  five server-sent events, one every 200 ms
        """;

    private const string Example = """{"userId":42,"lines":[{"productId":7,"quantity":2}]}""";
    private const int MostLines = 50;
    private const int LargestQuantity = 100;

    private static readonly TimeSpan EventInterval = TimeSpan.FromMilliseconds(200);

    public static void Map(WebApplication app, OrderStore store, TimeProvider time)
    {
        app.MapMethods("/orders", CommonEndpoints.Read, context => ListAsync(context, store));
        app.MapMethods("/orders/{id}", CommonEndpoints.Read, context => GetAsync(context, store));
        app.MapPost("/orders", context => AddAsync(context, store));
        app.MapGet("/orders/{id}/events", context => EventsAsync(context, store, time));
    }

    private static Task ListAsync(HttpContext context, OrderStore store)
    {
        var errors = new Dictionary<string, string>();
        var userId = Input.QueryInt(context, "user", fallback: null, (1, int.MaxValue), errors);
        var status = Input.QueryText(context, "status");
        if (status is not null && !OrderStatus.All.Contains(status))
            errors["status"] = $"is one of {string.Join(", ", OrderStatus.All)}";
        return errors.Count > 0
            ? Answers.BadRequestAsync(context, errors)
            : Answers.JsonAsync(context, ShopJson.Wire.IReadOnlyListOrder, store.List(userId, status));
    }

    private static Task GetAsync(HttpContext context, OrderStore store) =>
        Find(context, store) is { } order ? Answers.JsonAsync(context, ShopJson.Wire.Order, order) : NotFoundAsync(context);

    private static async Task AddAsync(HttpContext context, OrderStore store)
    {
        if (await Input.BodyAsync(context, ShopJson.Wire.NewOrder, Example) is not { } wanted)
            return;
        if (Check(wanted, store.ProductCount) is { Count: > 0 } errors)
        {
            await Answers.BadRequestAsync(context, errors);
            return;
        }

        if (store.Add(wanted) is not { } order)
        {
            const string Advice = "This sample holds no more orders; start it anew.";
            await Answers.ProblemAsync(context, StatusCodes.Status507InsufficientStorage, Advice);
            return;
        }

        context.Response.Headers.Location = string.Create(CultureInfo.InvariantCulture, $"/orders/{order.Id}");
        await Answers.JsonAsync(context, ShopJson.Wire.Order, order, StatusCodes.Status201Created);
    }

    /// <summary>Whether the order can be taken. That the user exists is for the users service to know; this one does not ask it.</summary>
    private static Dictionary<string, string> Check(NewOrder wanted, int productCount)
    {
        var errors = new Dictionary<string, string>();
        if (wanted.UserId < 1)
            errors["userId"] = "is the id of a user, such as 42";
        if (wanted.Lines is not { Count: >= 1 and <= MostLines } lines)
        {
            errors["lines"] = $"has 1 to {MostLines} lines such as {{\"productId\":7,\"quantity\":2}}";
            return errors;
        }

        for (var index = 0; index < lines.Count; index++)
        {
            // JSON may hold a null where the type says there is none.
            var line = lines[index] ?? new NewOrderLine(0, 0);
            if (line.ProductId < 1 || line.ProductId > productCount)
                errors[$"lines[{index}].productId"] = $"is the id of a product, from 1 to {productCount}";
            if (line.Quantity is < 1 or > LargestQuantity)
                errors[$"lines[{index}].quantity"] = $"is a whole number from 1 to {LargestQuantity}";
        }

        return errors;
    }

    /// <summary>Replays the life of an order that goes well, whatever state it is in. A client that leaves ends it.</summary>
    private static async Task EventsAsync(HttpContext context, OrderStore store, TimeProvider time)
    {
        if (Find(context, store) is not { } order)
        {
            await NotFoundAsync(context);
            return;
        }

        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-cache";
        using var timer = new PeriodicTimer(EventInterval, time);
        for (var step = 0; step < OrderStatus.Steps.Count; step++)
        {
            if (step > 0)
                await timer.WaitForNextTickAsync(context.RequestAborted);
            var happened = new OrderEvent(order.Id, step + 1, OrderStatus.Steps[step], time.GetUtcNow());
            var data = JsonSerializer.Serialize(happened, ShopJson.Wire.OrderEvent);
            var text = string.Create(CultureInfo.InvariantCulture, $"id: {step + 1}\nevent: status\ndata: {data}\n\n");
            await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text), context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
        }
    }

    private static Order? Find(HttpContext context, OrderStore store) => Input.RouteId(context) is { } id ? store.Find(id) : null;

    private static Task NotFoundAsync(HttpContext context) =>
        Answers.NotFoundAsync(context, $"There is no order {context.Request.RouteValues["id"]}.");
}
