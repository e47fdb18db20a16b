using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Lintel.Carriers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Lintel.Listeners.Framing;

/// <summary>Writes interim responses of HTTP/1.1 past Kestrel, straight to the connection.</summary>
/// <remarks>
/// Thread rule: only between a request's head and the beginning of its response, when Kestrel writes nothing; a request that waits for 100
/// (Continue), which is Kestrel's to send, has none (<see cref="IInformationalResponseFeature"/> is asked for by the forwarder, which
/// knows).
/// </remarks>
internal sealed class InterimResponses(PipeWriter output) : IInformationalResponseFeature
{
    public async ValueTask SendAsync(int status, IHeaderDictionary headers)
    {
        var head = new StringBuilder(256).Append(
            CultureInfo.InvariantCulture,
            $"HTTP/1.1 {status} {(status == 103 ? "Early Hints" : ReasonPhrases.GetReasonPhrase(status))}\r\n"
        );
        output.Write(Encoding.Latin1.GetBytes(head.AppendFields(headers).Append("\r\n").ToString()));
        await output.FlushAsync().ConfigureAwait(false);
    }
}
