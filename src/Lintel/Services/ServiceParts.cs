using Lintel.Observability.Metrics;
using Microsoft.Extensions.Logging;

namespace Lintel.Services;

/// <summary>The dependencies of a service's health, breaking and balancing.</summary>
internal sealed record ServiceParts(TimeProvider Time, Random Random, GatewayMetrics Metrics, ILogger Logger);
