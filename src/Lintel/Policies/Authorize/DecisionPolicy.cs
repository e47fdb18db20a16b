using System.Security.Cryptography;
using System.Text;
using Lintel.Errors;
using Lintel.Identities;
using Lintel.Identities.Providers;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Policies.Authorize;

/// <summary>Phase 2, after authentication: asks a decision point whether a request is allowed. What cannot be decided is refused.</summary>
internal sealed class DecisionPolicy : Policy, IAdmitting, IDisposable
{
    /// <summary>Decisions that are remembered: a few MB at most, whatever the inputs, as those are hashed.</summary>
    private const int MaxRemembered = 10_000;

    private readonly AuthorizeConfig _config;
    private readonly TimeProvider _time;
    private readonly ProviderClient _client;
    private readonly IDecisionProtocol _protocol;
    private readonly RecentlyUsed<string, Pending> _remembered = new(MaxRemembered);

    public DecisionPolicy(AuthorizeConfig config, PolicyParts parts)
    {
        (_config, _time) = (config, parts.Time);
        _client = new ProviderClient(config.Authorities, config.Timeout);
        _protocol = config.Protocol == DecisionProtocol.Opa ? new OpaProtocol(config) : new ExtAuthzProtocol(config);
    }

    /// <summary>The address of the decision point, for <c>explain</c>.</summary>
    public Uri Address => _config.Http!;

    public async ValueTask<GatewayError?> AdmitAsync(Exchange exchange)
    {
        foreach (var name in _config.ToService)
            Outbound(exchange).Remove(name); // whatever the decision point says: clients do not
        Decision decision;
        try
        {
            decision = await DecideAsync(_protocol.Ask(exchange), exchange.Aborted).ConfigureAwait(false);
        }
        catch (ProviderException e)
        {
            return new GatewayError(GatewayErrorKind.AuthorizationUnavailable, Cause: e.InnerException) { LogDetail = e.Message };
        }

        foreach (var (name, value) in decision.ToService)
            Outbound(exchange).Set(name, value);
        return decision.IsAllowed ? null : Refuse(decision);
    }

    public void Dispose() => _client.Dispose();

    /// <summary>The method that the target sees: a WebSocket over HTTP/2 is a GET (RFC 8441 section 5).</summary>
    internal static string MethodOf(Exchange exchange) => exchange.IsExtendedConnect ? HttpMethods.Get : exchange.Request.Method;

    private static OutboundIdentity Outbound(Exchange exchange) => exchange.Outbound ??= new OutboundIdentity();

    private GatewayError Refuse(Decision decision) =>
        new(decision.Status == 401 ? GatewayErrorKind.Unauthenticated : GatewayErrorKind.Forbidden)
        {
            LogDetail = $"refused by {_config.Http}",
            Headers = decision.ToClient,
        };

    /// <exception cref="ProviderException">There is no decision.</exception>
    private async ValueTask<Decision> DecideAsync(DecisionQuestion question, CancellationToken cancellationToken)
    {
        if (_config.Cache is not { } lifetime)
            return await AskAsync(question, cancellationToken).ConfigureAwait(false);
        var key = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(question.Inputs)));
        var pending = _remembered.GetOrAdd(key, Create);
        if (pending.IsOver(_time, lifetime)) // two that find it so at the same moment ask twice, and both answers hold
            _remembered.Set(key, pending = Create());
        return await pending.Decision.Value.WaitAsync(cancellationToken).ConfigureAwait(false);

        // Does not end with the request that asks first: others wait for it.
        Pending Create() => new(new Lazy<Task<Decision>>(() => AskAsync(question, CancellationToken.None)), _time.GetTimestamp());
    }

    private async Task<Decision> AskAsync(DecisionQuestion question, CancellationToken cancellationToken)
    {
        using var request = question.CreateRequest();
        return _protocol.Read(await _client.SendAsync(request, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>A decision that is known, or awaited by those who ask the same question.</summary>
    /// <param name="Decision">The decision.</param>
    /// <param name="Asked">When it was asked for.</param>
    private sealed record Pending(Lazy<Task<Decision>> Decision, long Asked)
    {
        /// <summary>Whether it is too old, or has failed.</summary>
        public bool IsOver(TimeProvider time, TimeSpan lifetime) =>
            time.GetElapsedTime(Asked) >= lifetime
            || (Decision.IsValueCreated && Decision.Value is { IsCompleted: true, IsCompletedSuccessfully: false });
    }
}
