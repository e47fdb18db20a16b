using Microsoft.AspNetCore.Connections;

namespace Lintel.Transport.Loop;

/// <summary>A client was cut off that does not read, and for whose output there is no memory.</summary>
public sealed class UnreadOutputException()
    : ConnectionAbortedException(
        "the client does not read its response, and the memory for output that waits for slow clients is exhausted (limits.memory)"
    );
