namespace Lintel.Services.Connections;

/// <summary>The <c>Host</c> of a message for .NET's client, which accepts fewer spellings of a host than RFC 3986 section 3.2.2.</summary>
internal static class HostField
{
    /// <summary>Sets the field.</summary>
    /// <exception cref="UnsendableHostException">.NET's client does not accept the host.</exception>
    public static void Set(HttpRequestMessage message, string host)
    {
        try
        {
            message.Headers.Host = host;
        }
        catch (FormatException e)
        {
            throw new UnsendableHostException(e);
        }
    }
}

/// <summary>
/// The client's <c>Host</c> is valid, but cannot be sent to this service: the request is refused without contacting the service.
/// </summary>
internal sealed class UnsendableHostException(FormatException cause) : Exception("the host cannot be sent to this service", cause);
