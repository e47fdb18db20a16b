using System.Buffers;
using System.Net;
using System.Text;
using Lintel.Config;
using Lintel.Observability.Logs;
using Microsoft.Extensions.Logging.Abstractions;

namespace Lintel.Tests.Observability;

/// <summary>Records and the lines that become of them.</summary>
internal static class AccessLines
{
    public static readonly DateTimeOffset Noon = new(2026, 11, 23, 12, 0, 0, 123, TimeSpan.Zero);

    /// <summary>The request of the guide's examples.</summary>
    public static AccessRecord Record { get; } =
        new()
        {
            Time = Noon,
            TraceId = "4bf92f3577b34da6a3ce929d0e0e4736",
            Method = "GET",
            Host = "api.example.com",
            Path = "/api/users/42",
            Query = "?fields=name&access_token=s3cret",
            Protocol = "HTTP/2",
            Client = IPAddress.Parse("203.0.113.7"),
            Status = 200,
            Duration = TimeSpan.FromMicroseconds(12_345),
            Upstream = TimeSpan.FromMicroseconds(11_872),
            Attempts = 1,
            ResponseBytes = 187,
            Route = "user",
            Service = "users",
            Instance = "http://10.0.0.1:5101",
            UserAgent = "curl/8.5.0",
        };

    public static LostLines Lost() => new("access log", NullLogger.Instance, TimeProvider.System);

    public static AccessLogConfig Json(params string[] headers) => new() { Headers = [.. headers] };

    public static AccessLogConfig Template(string template) => new() { Format = AccessLogFormat.FromTemplate(template) };

    public static string Line(AccessLogConfig config, in AccessRecord record)
    {
        var lines = new ArrayBufferWriter<byte>();
        LineFormat.Create(config).Write(lines, record);
        return Encoding.UTF8.GetString(lines.WrittenSpan);
    }
}
