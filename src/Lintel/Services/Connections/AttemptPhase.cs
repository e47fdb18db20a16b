namespace Lintel.Services.Connections;

/// <summary>The phase in which an attempt failed.</summary>
internal enum AttemptPhase
{
    /// <summary>No connection yet: nothing of the request was sent.</summary>
    Connecting,

    /// <summary>The request's body is being sent.</summary>
    Sending,

    /// <summary>The request is sent as far as is known, and the response's final head has not been received.</summary>
    AwaitingHead,

    /// <summary>The response's head has been received, and its body has not ended.</summary>
    Body,
}
