using Lintel.Samples.Shop.Catalog;

namespace Lintel.Samples.Shop.Orders;

/// <summary>What a user ordered. <c>Total</c> is the exact sum of its lines.</summary>
internal sealed record Order(
    int Id,
    int UserId,
    string Status,
    DateTimeOffset PlacedAt,
    IReadOnlyList<OrderLine> Lines,
    decimal Total,
    string Currency
);

/// <summary>One product of an order, at the price it had in the catalog.</summary>
internal sealed record OrderLine(int ProductId, int Quantity, decimal UnitPrice);

/// <summary>What a caller sends to order.</summary>
internal sealed record NewOrder(int UserId, IReadOnlyList<NewOrderLine>? Lines);

/// <summary>One product to order.</summary>
internal sealed record NewOrderLine(int ProductId, int Quantity);

/// <summary>One step in an order's life, as its event stream tells it.</summary>
internal sealed record OrderEvent(int OrderId, int Sequence, string Status, DateTimeOffset At);

/// <summary>The states an order can be in.</summary>
internal static class OrderStatus
{
    public const string Placed = "placed";
    public const string Cancelled = "cancelled";

    /// <summary>The five steps of an order that goes well.</summary>
    public static IReadOnlyList<string> Steps { get; } = [Placed, "paid", "packed", "shipped", "delivered"];

    public static IReadOnlyList<string> All { get; } = [.. Steps, Cancelled];
}

/// <summary>The orders, in memory. Any thread may use it: one lock guards the list.</summary>
internal sealed class OrderStore
{
    /// <summary>A bound for load tests that order without end.</summary>
    private const int Capacity = 10_000;
    private const int SeedOrders = 400;
    private const int SeedUsers = 50;

    private readonly Lock _lock = new();
    private readonly IReadOnlyList<Product> _products;
    private readonly TimeProvider _time;
    private readonly List<Order> _orders; // The order with id n stands at n - 1: none is ever removed.

    public OrderStore(IReadOnlyList<Product> products, TimeProvider time)
    {
        _products = products;
        _time = time;
        _orders = Seed();
    }

    public int ProductCount => _products.Count;

    public Order? Find(int id)
    {
        lock (_lock)
            return id >= 1 && id <= _orders.Count ? _orders[id - 1] : null;
    }

    /// <summary>The matching orders, the newest first.</summary>
    public IReadOnlyList<Order> List(int? userId, string? status)
    {
        List<Order> matching;
        lock (_lock)
            matching = _orders.FindAll(order => (userId is null || order.UserId == userId) && (status is null || order.Status == status));
        matching.Reverse();
        return matching;
    }

    /// <summary>Adds an order that has been checked; null when the store is full.</summary>
    public Order? Add(NewOrder wanted)
    {
        lock (_lock)
        {
            if (_orders.Count >= Capacity)
                return null;
            var order = Price(_orders.Count + 1, wanted.UserId, OrderStatus.Placed, _time.GetUtcNow(), wanted.Lines!);
            _orders.Add(order);
            return order;
        }
    }

    private Order Price(int id, int userId, string status, DateTimeOffset placedAt, IEnumerable<NewOrderLine> wanted)
    {
        OrderLine[] lines = [.. wanted.Select(line => new OrderLine(line.ProductId, line.Quantity, _products[line.ProductId - 1].Price))];
        return new Order(id, userId, status, placedAt, lines, lines.Sum(line => line.Quantity * line.UnitPrice), ProductSeed.Currency);
    }

    /// <summary>The orders 1 to 400: the same ones each time, the later the newer, spread over about a year and a half.</summary>
    private List<Order> Seed()
    {
        var random = new Random(Seed: 400);
        var orders = new List<Order>(SeedOrders);
        var placedAt = new DateTimeOffset(2025, 1, 2, 8, 0, 0, TimeSpan.Zero);
        for (var id = 1; id <= SeedOrders; id++)
        {
            placedAt = placedAt.AddSeconds(random.Next(1_800, 240_000));
            // User 42 stands in every example, so every hundredth order is theirs for sure.
            var userId = id % 100 == 42 ? 42 : random.Next(1, SeedUsers + 1);
            var lines = Enumerable
                .Range(0, random.Next(1, 5))
                .Select(_ => new NewOrderLine(random.Next(1, _products.Count + 1), random.Next(1, 4)))
                .DistinctBy(line => line.ProductId)
                .ToArray();
            var stillUnderWay = id > SeedOrders - 40;
            var status =
                random.Next(20) == 0 ? OrderStatus.Cancelled
                : stillUnderWay ? OrderStatus.Steps[random.Next(OrderStatus.Steps.Count - 1)]
                : OrderStatus.Steps[^1];
            orders.Add(Price(id, userId, status, placedAt, lines));
        }

        return orders;
    }
}
