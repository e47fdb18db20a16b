using System.Buffers;

namespace Lintel.Transport.Loop;

/// <summary>
/// A pool of buffers: on a loop's thread a stack of its own, elsewhere and for large ones <see cref="ArrayPool{T}.Shared"/>.
/// </summary>
/// <remarks>
/// A request rents and returns four of them. The shared pool keeps 32 per core: hundreds of simultaneous connections would allocate new
/// ones, and the collector copies each twice before it is old.
/// </remarks>
internal static class Blocks
{
    /// <summary>The size of a usual request or response head with a small body.</summary>
    public const int Size = 4096;

    /// <summary>For each loop: 4 MiB.</summary>
    private const int Most = 1024;

    /// <summary>An array of <see cref="Size"/>, or a larger one.</summary>
    /// <param name="atLeast">The minimum size in bytes.</param>
    public static byte[] Rent(int atLeast = Size)
    {
        if (atLeast > Size || EventLoop.Current is not { } loop || !loop.Blocks.TryPop(out var block))
            return ArrayPool<byte>.Shared.Rent(Math.Max(atLeast, Size));
        return block;
    }

    /// <summary>There are no references to the array any more.</summary>
    public static void Return(byte[] block)
    {
        if (block.Length == Size && EventLoop.Current is { Blocks.Count: < Most } loop)
            loop.Blocks.Push(block);
        else
            ArrayPool<byte>.Shared.Return(block);
    }
}
