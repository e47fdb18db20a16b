using Lintel.Services.Connections;

namespace Lintel.Forwarding;

/// <summary>A stream that is only read, from beginning to end: what bodies are.</summary>
internal abstract class ForwardOnlyStream : SequentialStream
{
    public override bool CanRead => true;

    public override bool CanWrite => false;

    public abstract override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default);

    public override void Flush() { }
}
