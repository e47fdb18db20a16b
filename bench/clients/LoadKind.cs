namespace Lintel.Bench.Clients;

/// <summary>Requests of one kind.</summary>
/// <param name="Name">Its name in the report.</param>
/// <param name="Rate">Requests per second.</param>
/// <param name="Connections">Its connections: as many requests are under way at most.</param>
/// <param name="Connect">Makes one.</param>
/// <param name="Outcomes">How its requests ended.</param>
internal sealed record LoadKind(string Name, int Rate, int Connections, Func<Client> Connect, Outcomes Outcomes);
