using System.Buffers;

namespace Lintel.Transport.Loop;

/// <summary>
/// The arrays that bytes pass through: on a loop's thread from a stack of its own, elsewhere and for large ones from
/// <see cref="ArrayPool{T}.Shared"/>.
/// </summary>
/// <remarks>
/// A request takes and gives back four of them. The shared pool keeps 32 for each core: hundreds of connections that come at once make new
/// ones, and the collector copies each twice before it is old.
/// </remarks>
internal static class Blocks
{
    /// <summary>A usual head, of a request or an answer, with a small body.</summary>
    public const int Size = 4096;

    /// <summary>For each loop: 4 MiB.</summary>
    private const int Most = 1024;

    /// <summary>An array of <see cref="Size"/>, or a larger one.</summary>
    /// <param name="atLeast">Bytes that it has to hold.</param>
    public static byte[] Rent(int atLeast = Size)
    {
        if (atLeast > Size || EventLoop.Current is not { } loop || !loop.Blocks.TryPop(out var block))
            return ArrayPool<byte>.Shared.Rent(Math.Max(atLeast, Size));
        return block;
    }

    /// <summary>Nobody knows the array any more.</summary>
    public static void Return(byte[] block)
    {
        if (block.Length == Size && EventLoop.Current is { Blocks.Count: < Most } loop)
            loop.Blocks.Push(block);
        else
            ArrayPool<byte>.Shared.Return(block);
    }
}
