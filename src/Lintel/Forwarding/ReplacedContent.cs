using System.Net;

namespace Lintel.Forwarding;

/// <summary>Response content with a stream wrapped around its body.</summary>
internal abstract class ReplacedContent(HttpContent original) : HttpContent
{
    /// <summary>Returns the stream that replaces the body.</summary>
    protected abstract Stream Replace(Stream body);

    protected sealed override Task<Stream> CreateContentReadStreamAsync() => CreateContentReadStreamAsync(CancellationToken.None);

    protected sealed override async Task<Stream> CreateContentReadStreamAsync(CancellationToken cancellationToken) =>
        Replace(await original.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false));

    protected sealed override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        throw new NotSupportedException("the response is read, not written");

    protected sealed override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            original.Dispose();
        base.Dispose(disposing);
    }
}
