using Microsoft.AspNetCore.Connections;

namespace Lintel.Transport.Loop;

/// <summary>A client was aborted because it does not read and there is no memory for its output.</summary>
public sealed class UnreadOutputException()
    : ConnectionAbortedException(
        "the client does not read its response, and the memory for output that waits for slow clients is exhausted (limits.memory)"
    );
