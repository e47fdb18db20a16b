using Lintel.Listeners.Framing;
using Lintel.Pipeline;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Abstractions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Lintel.Listeners;

/// <summary>Hands requests straight to the pipeline. Contexts are kept with their connection, as ASP.NET Core's own hosting does.</summary>
internal sealed class GatewayApplication(RequestDelegate handle, IServiceScopeFactory scopes) : IHttpApplication<DefaultHttpContext>
{
    public DefaultHttpContext CreateContext(IFeatureCollection contextFeatures)
    {
        if (contextFeatures is not IHostContextContainer<DefaultHttpContext> container)
            return new DefaultHttpContext(contextFeatures) { ServiceScopeFactory = scopes };
        if (container.HostContext is { } kept)
            kept.Initialize(contextFeatures);
        else
            container.HostContext = new DefaultHttpContext(contextFeatures) { ServiceScopeFactory = scopes };
        return container.HostContext;
    }

    public Task ProcessRequestAsync(DefaultHttpContext context)
    {
        if (context.Features.Get<RequestFraming>() is null && !HttpProtocol.IsHttp11(context.Request.Protocol) && StreamCheck.Check(context.Request) is { } refusal)
            context.Features.Set(new RequestFraming { Refusal = refusal });
        if (context.Request.Headers.Upgrade.Count > 0 && context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true } upgrade && context.Features.Get<FramingGuard>() is { } guard)
            context.Features.Set<IHttpUpgradeFeature>(new GuardedUpgrade(upgrade, guard, context.Features.Get<LoopConnection>()));
        return handle(context);
    }

    public void DisposeContext(DefaultHttpContext context, Exception? exception) => context.Uninitialize();
}
