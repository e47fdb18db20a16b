using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
builder
    .WebHost.UseKestrelCore()
    .ConfigureKestrel(o =>
    {
        o.Limits.MaxRequestBodySize = null;
        o.Limits.MinRequestBodyDataRate = null;
        o.Limits.MinResponseDataRate = null;
        o.Listen(IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http1);
        o.Listen(IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2);
    });
var application = builder.Build();
application.Run(async context =>
{
    var buffer = new byte[256 * 1024];
    if (context.Request.Path == "/sink")
    {
        var total = 0L;
        for (int count; (count = await context.Request.Body.ReadAsync(buffer)) > 0; )
            total += count;
        await context.Response.WriteAsync(total.ToString(CultureInfo.InvariantCulture));
        return;
    }

    var bytes = long.Parse(context.Request.Query["bytes"]!, CultureInfo.InvariantCulture);
    context.Response.ContentLength = bytes;
    for (var left = bytes; left > 0; left -= buffer.Length)
        await context.Response.Body.WriteAsync(buffer.AsMemory(0, (int)Math.Min(left, buffer.Length)), context.RequestAborted);
});
await application.StartAsync();
var ports = application.Urls.Select(u => new Uri(u).Port).ToList();
Console.WriteLine($"h1 {ports[0]}\nh2 {ports[1]}");
await application.WaitForShutdownAsync();
