using System.Text.Json.Nodes;
using Lintel.Control.Status;
using Lintel.Hosting;
using Lintel.Services.Health;
using Microsoft.AspNetCore.Http;

namespace Lintel.Control.AdminApi;

/// <summary>All endpoints of the admin address.</summary>
internal sealed class AdminEndpoints
{
    private readonly AdminEndpoint[] _all;
    private readonly InstanceEndpoint[] _changes;
    private readonly Dictionary<string, AdminEndpoint> _byPath;

    public AdminEndpoints(Gateway gateway, Func<Type, string, string?> documentation)
    {
        var description = new Lazy<JsonObject>(() => OpenApi.Describe(_all!, documentation));
        var json = AdminJson.Default;
        _changes = Changes(gateway);
        _all =
        [
            new AdminEndpoint<LiveStatus>("/health/live", "Liveness: 503 if only a restart helps.", json.LiveStatus, _ => new LiveStatus(
                gateway.IsHung ? "hung" : "live"
            ))
            {
                StatusOf = static s => s.Status == "live" ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable,
            },
            new AdminEndpoint<ReadyStatus>(
                "/health/ready",
                "Readiness: 503 with the reasons if no requests should be sent here.",
                json.ReadyStatus,
                _ => ReadyStatus.Of(gateway.NotReadyReasons, gateway.Notes)
            )
            {
                StatusOf = static s => s.Reasons.Count == 0 ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable,
            },
            new MetricsEndpoint(),
            new AdminEndpoint<IndexStatus>("/api/v1", "The index of this API.", json.IndexStatus, _ => new IndexStatus([
                .. _all!.Select(e => new IndexEntry(e.IsChange ? HttpMethods.Post : HttpMethods.Get, e.Path, e.Summary)),
            ])),
            new AdminEndpoint<SnapshotStatus>(
                "/api/v1/snapshot",
                "The gateway and the configuration that it serves.",
                json.SnapshotStatus,
                _ => gateway.Status
            ),
            new AdminEndpoint<ItemList<RouteStatus>>(
                "/api/v1/routes",
                "The routes, in the configuration's order.",
                json.ItemListRouteStatus,
                _ => new(gateway.Routes)
            ),
            new AdminEndpoint<RouteStatus>("/api/v1/routes/{name}", "One route.", json.RouteStatus, gateway.FindRoute),
            new AdminEndpoint<ItemList<ServiceStatus>>(
                "/api/v1/services",
                "The services with their instances, in the configuration's order.",
                json.ItemListServiceStatus,
                _ => new(gateway.Services)
            ),
            new AdminEndpoint<ServiceStatus>("/api/v1/services/{name}", "One service.", json.ServiceStatus, gateway.FindService),
            .. _changes,
            new AdminEndpoint<ItemList<ListenerStatus>>(
                "/api/v1/listeners",
                "The listeners, in the configuration's order.",
                json.ItemListListenerStatus,
                _ => new(gateway.Listeners)
            ),
            new AdminEndpoint<ItemList<ErrorStatus>>("/api/v1/errors", "Failures, grouped by fingerprint.", json.ItemListErrorStatus, _ =>
                new(gateway.Errors)
            ),
            new AdminEndpoint<KeySetStatus>(
                AdminEndpoint.KeySetPath,
                "The public keys of the tokens that services receive, as a JSON Web Key Set.",
                json.KeySetStatus,
                _ => gateway.PublicKeys
            ),
            new AdminEndpoint<JsonObject>("/api/v1/openapi.json", "This description.", json.JsonObject, _ => description.Value),
        ];
        _byPath = _all.Except(_changes).ToDictionary(e => e.TakesName ? e.Path[..^"{name}".Length] : e.Path, StringComparer.Ordinal);
    }

    /// <summary>Finds the endpoint of a path, and the name in the path.</summary>
    public AdminEndpoint? Find(string path, out string name)
    {
        name = "";
        if (_byPath.TryGetValue(path, out var exact))
            return exact.TakesName ? null : exact;
        foreach (var change in _changes)
        {
            if (change.Matches(path, out name))
                return change;
        }

        var slash = path.LastIndexOf('/') + 1;
        name = path[slash..];
        return _byPath.TryGetValue(path[..slash], out var endpoint) ? endpoint : null;
    }

    private static InstanceEndpoint[] Changes(Gateway gateway) =>
        [
            new InstanceEndpoint(
                "drain",
                "Gives an instance no new requests, except those of clients that are pinned to it.",
                gateway,
                static (service, instance, client, reason) => service.HoldBack(instance, HoldKind.Drained, client, reason)
            ),
            new InstanceEndpoint("eject", "Gives an instance no requests at all.", gateway, static (service, instance, client, reason) =>
                service.HoldBack(instance, HoldKind.Ejected, client, reason)
            ),
            new InstanceEndpoint(
                "return",
                "Ends that an instance is drained or ejected, for whatever reason it was.",
                gateway,
                static (service, instance, client, reason) => service.Return(instance, client, reason)
            ),
        ];
}
