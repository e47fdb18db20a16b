namespace Lintel.Observability;

/// <summary>The names under which the gateway's telemetry is found, for an application's own exporters.</summary>
public static class GatewayTelemetry
{
    /// <summary>The meter's name, for <c>AddMeter</c> of OpenTelemetry.</summary>
    public const string MeterName = "Lintel";

    /// <summary>The activity source's name, for <c>AddSource</c> of OpenTelemetry: a span for each request and for each attempt.</summary>
    public const string ActivitySourceName = "Lintel";
}
