namespace Lintel.Services.Balancing;

/// <summary>
/// What a client's request says about the instance that it should be sent to. Computed once per request by <see cref="Service.KeyOf"/>;
/// the default value says nothing.
/// </summary>
/// <param name="Hash">The hash of the property that <c>consistentHash</c> names; 0 for none.</param>
/// <param name="Pin">The token of the instance that the client's affinity cookie names; 0 for none.</param>
internal readonly record struct RequestKey(ulong Hash, UInt128 Pin);
