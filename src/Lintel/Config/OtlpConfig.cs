using Lintel.Config.Grammars;
using Lintel.Config.Reading;

namespace Lintel.Config;

/// <summary>The transport of OTLP.</summary>
public enum OtlpProtocol
{
    /// <summary>gRPC, over HTTP/2.</summary>
    Grpc,

    /// <summary>Protobuf in HTTP/1.1 requests.</summary>
    Http,
}

/// <summary>A receiver of OTLP, such as an OpenTelemetry collector.</summary>
public sealed record OtlpConfig
{
    /// <summary>
    /// The address, such as <c>http://127.0.0.1:4317</c>. With <c>protocol: http</c> it is the base address: <c>/v1/traces</c> and
    /// <c>/v1/metrics</c> are appended.
    /// </summary>
    public required Uri Endpoint { get; init; }

    /// <summary><c>grpc</c> or <c>http</c>. Default: <c>http</c> if the address has port 4318 or a path, otherwise <c>grpc</c>.</summary>
    public OtlpProtocol Protocol { get; init; }

    /// <summary>Headers of every export, such as an API key. Default: none.</summary>
    public ValueMap<string> Headers { get; init; } = [];

    /// <summary>
    /// The export interval, 1 s to 1 h. Default: 15 s for metrics (a common scrape interval of Prometheus), 5 s for spans (OpenTelemetry's
    /// default).
    /// </summary>
    public TimeSpan? Every { get; init; }

    private static Grammar<Uri> EndpointGrammar { get; } =
        new ScalarGrammar<Uri>(
            "the address of an OTLP receiver",
            "^(https?|grpc)://",
            static (string text, out Uri value) =>
                Uri.TryCreate(text, UriKind.Absolute, out value!)
                && value.Scheme is "http" or "https" or "grpc"
                && value.Host.Length > 0
                && value.Query.Length == 0
                && value.Fragment.Length == 0
                && value.UserInfo.Length == 0,
            "write `http://HOST:4317` for gRPC, `http://HOST:4318` for HTTP; put credentials into `headers`"
        );

    private static Grammar<string> HeaderName { get; } =
        new ScalarGrammar<string>("a header name", null, static (string text, out string value) =>
        {
            value = text;
            return text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
        });

    private static Grammar<string> HeaderValue { get; } =
        new ScalarGrammar<string>(
            "a header value",
            null,
            static (string text, out string value) =>
            {
                value = text;
                return !text.Any(char.IsControl);
            },
            "a header value is a single line; remove line breaks, including the one at the end of a file"
        );

    internal static Grammar<OtlpConfig> Grammar { get; } =
        new ShortFormGrammar<OtlpConfig>(
            static (ScalarNode scalar, KeyPath path, ConfigReport report, out OtlpConfig value) =>
            {
                var read = EndpointGrammar.TryRead(scalar, path, report, out var endpoint);
                value = read ? Create(endpoint, null) : null!;
                return read;
            },
            "The receiver's address, such as http://127.0.0.1:4317",
            new RecordGrammar<OtlpConfig>(static f =>
            {
                var endpoint = f.Require("endpoint", EndpointGrammar);
                var otlp = Create(
                    endpoint,
                    f.FindValue("protocol", Scalars.Choice([("grpc", OtlpProtocol.Grpc), ("http", OtlpProtocol.Http)]))
                ) with
                {
                    Headers = f.Map("headers", HeaderValue, HeaderName),
                    Every = f.FindValue("every", Scalars.Duration(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1))),
                };
                if (f.IsReading && endpoint?.Scheme == "grpc" && otlp.Protocol == OtlpProtocol.Http)
                    f.Report(
                        "conflict",
                        "protocol",
                        "the address has the scheme `grpc`, but the protocol is `http`",
                        "write the address with `http://` or `https://`"
                    );
                return otlp;
            })
        );

    /// <summary>Applies the settings that the address implies: <c>grpc://</c> is gRPC without TLS.</summary>
    private static OtlpConfig Create(Uri endpoint, OtlpProtocol? protocol) =>
        new()
        {
            Endpoint = endpoint is { Scheme: "grpc" }
                ? new UriBuilder(endpoint) { Scheme = Uri.UriSchemeHttp, Port = endpoint.Port < 0 ? 4317 : endpoint.Port }.Uri
                : endpoint,
            Protocol = protocol
                ?? (
                    endpoint is { Scheme: not "grpc" } && (endpoint.Port == 4318 || endpoint.AbsolutePath.Length > 1)
                        ? OtlpProtocol.Http
                        : OtlpProtocol.Grpc
                ),
        };
}
