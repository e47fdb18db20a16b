using System.Net;

namespace Lintel.Forwarding;

/// <summary>A response's content with something between its body and whoever reads it.</summary>
internal abstract class ReplacedContent(HttpContent original) : HttpContent
{
    /// <summary>What is read in the body's place.</summary>
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
