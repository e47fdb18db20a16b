namespace Lintel.Services.Connections;

/// <summary>
/// The <c>Host</c> of a message for .NET's client, which takes fewer spellings for a host than RFC 3986 section 3.2.2 does.
/// </summary>
internal static class HostField
{
    /// <summary>Sets it.</summary>
    /// <exception cref="UnsendableHostException">.NET's client takes it for no host.</exception>
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
/// The client's <c>Host</c> is valid, and cannot be sent to this service: the request is refused, and no service is asked.
/// </summary>
internal sealed class UnsendableHostException(FormatException cause) : Exception("the host cannot be sent to this service", cause);
