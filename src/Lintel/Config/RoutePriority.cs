namespace Lintel.Config;

/// <summary>The order in which requests are shed while the gateway itself is overloaded (<c>overload</c>).</summary>
public enum RoutePriority
{
    /// <summary>Shed first.</summary>
    Low,

    /// <summary>Shed once nearly all requests of low priority are.</summary>
    Normal,

    /// <summary>Shed last, and never completely: one request in ten is still served.</summary>
    High,
}
