using Lintel.Services.Connections;

namespace Lintel.Forwarding;

/// <summary>A read-only, forward-only stream, as request and response bodies are.</summary>
internal abstract class ForwardOnlyStream : SequentialStream
{
    public override bool CanRead => true;

    public override bool CanWrite => false;

    public abstract override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default);

    public override void Flush() { }
}
