using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Benchmarks;

/// <summary>Requests without a server.</summary>
internal static class Requests
{
    /// <summary>What a browser sends to an API behind a login.</summary>
    public static DefaultHttpContext Browser(string path)
    {
        var context = Plain(path);
        var headers = context.Request.Headers;
        headers.UserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        headers.Accept = "application/json, text/plain, */*";
        headers.AcceptLanguage = "en-US,en;q=0.5";
        headers.AcceptEncoding = "gzip, deflate, br, zstd";
        headers.Authorization = "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl";
        headers.Cookie = "session=5f0c6a1e7b2d; theme=dark";
        headers.Origin = "https://shop.example";
        headers.Referer = "https://shop.example/account";
        headers.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        headers.Append("Sec-Fetch-Dest", "empty");
        headers.Append("Sec-Fetch-Mode", "cors");
        headers.Append("Sec-Fetch-Site", "same-site");
        return context;
    }

    /// <summary>What wrk sends: Host alone.</summary>
    public static DefaultHttpContext Plain(string path)
    {
        var context = new DefaultHttpContext();
        context.Features.Get<IHttpRequestFeature>()!.RawTarget = path;
        context.Request.Method = "GET";
        context.Request.Scheme = "http";
        context.Request.Protocol = "HTTP/1.1";
        context.Request.Headers.Host = "gateway.test:8080";
        context.Connection.RemoteIpAddress = IPAddress.Loopback;
        return context;
    }
}
