using Microsoft.Extensions.Logging;

namespace Lintel.Policies.Identity;

/// <summary>Log messages about tokens for services. None contains one.</summary>
internal static partial class IdentityLog
{
    [LoggerMessage(
        EventId = 1430,
        Level = LogLevel.Warning,
        Message = "{Policy}: a token for services could not be renewed, and is used until it ends: {Reason}"
    )]
    public static partial void NotRenewed(ILogger logger, string policy, string reason);
}
