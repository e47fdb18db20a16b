namespace Lintel.Services.Connections;

/// <summary>How far an attempt was when it failed.</summary>
internal enum AttemptPhase
{
    /// <summary>No connection yet: nothing of the request was sent.</summary>
    Connecting,

    /// <summary>The request's body is being sent.</summary>
    Sending,

    /// <summary>The request is sent as far as is known, and the answer's final head has not come.</summary>
    AwaitingHead,

    /// <summary>The answer's head has come, and its body has not ended.</summary>
    Body,
}
