using Lintel.Pipeline;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;

namespace Lintel.Hosting;

/// <summary>The first middleware of the embedding application: records what later ones may replace.</summary>
internal sealed class HostedRequestFilter : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) =>
        application =>
        {
            application.Use(following =>
                context =>
                {
                    context.Features.Set(new HostedRequest(context, isFirst: true));
                    return following(context);
                }
            );
            next(application);
        };
}
