using Lintel.Identities;

namespace Lintel.Pipeline;

/// <remarks>This part is about who sends the request.</remarks>
internal sealed partial class Exchange
{
    /// <summary>
    /// Who sends the request, as the route's policies have established it, the last one first; inside another host also the user of the
    /// application. <see langword="null"/> for nobody.
    /// </summary>
    public Authenticated? Caller
    {
        get
        {
            if (_state is { Caller: null, HasHostUser: false, Hosted: not null })
            {
                _state.HasHostUser = true;
                _state.Caller = Request.HostUser is { } user ? new Authenticated(user, default, null) : null;
            }

            return _state.Caller;
        }
    }

    /// <summary>The configured client that the caller is, by its credential; <see langword="null"/> for none.</summary>
    public string? CallingClient
    {
        get
        {
            for (var caller = Caller; caller is not null; caller = caller.Earlier)
            {
                if (Snapshot.Clients.Find(caller.Identity) is { } client)
                    return client;
            }

            return null;
        }
    }

    /// <summary>The caller's name within its issuer, of the last of its identities that has one; <see langword="null"/> for none.</summary>
    public string? CallerSubject
    {
        get
        {
            for (var caller = Caller; caller is not null; caller = caller.Earlier)
            {
                if (caller.Identity.Subject is { } subject)
                    return subject;
            }

            return null;
        }
    }

    /// <summary>The caller in logs: the name of its client, otherwise its subject; <see langword="null"/> for nobody.</summary>
    public string? CallerName => Caller is { } caller ? CallingClient ?? caller.Identity.Subject : null;

    /// <summary>What services receive in place of the caller's credentials; <see langword="null"/> for the request as it is.</summary>
    public OutboundIdentity? Outbound
    {
        get => _state.Outbound;
        set => _state.Outbound = value;
    }

    /// <summary>What a policy holds for the request, such as a body in memory; disposed when the request has ended.</summary>
    public IDisposable? Held
    {
        get => _state.Held;
        set => _state.Held = value;
    }

    /// <summary>Adds an identity that a policy has established.</summary>
    public void Authenticate(CallerIdentity identity, Credential credential) =>
        _state.Caller = new Authenticated(identity, credential, Caller);

    /// <summary>A claim of the caller as text; <see langword="null"/> if it has none of this name.</summary>
    public string? Claim(string name)
    {
        for (var caller = Caller; caller is not null; caller = caller.Earlier)
        {
            if (caller.Identity.Claims.Text(name) is { } text)
                return text;
        }

        return null;
    }

    /// <summary>Whether the caller has a scope, in its credential or by the configuration of its client.</summary>
    public bool HasScope(string scope)
    {
        for (var caller = Caller; caller is not null; caller = caller.Earlier)
        {
            if (caller.Identity.HasScope(scope))
                return true;
            if (Snapshot.Clients.Find(caller.Identity) is { } client && Snapshot.Clients.Grants(client, scope))
                return true;
        }

        return false;
    }
}
