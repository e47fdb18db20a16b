using System.Net;
using System.Text.Json;
using CsCheck;
using Lintel.Config;
using Lintel.Config.Grammars;
using Lintel.Observability.Logs;
using Microsoft.Extensions.Primitives;

namespace Lintel.Tests.Observability.Logs;

public sealed class LineFormatTests
{
    private const string Combined =
        """{client} - - [{time}] "{method} {target} {protocol}" {status} {responseBytes} "{header:Referer}" "{userAgent}" """;

    [Fact]
    public void Json_OfARequest_HasEveryField() =>
        Assert.Equal(
            """{"time":"2026-11-23T12:00:00.123Z","method":"GET","host":"api.example.com","path":"/api/users/42","query":"fields=name&access_token=REDACTED","protocol":"HTTP/2","status":200,"requestBytes":0,"responseBytes":187,"durationMs":12.345,"upstreamMs":11.872,"gatewayMs":0.473,"attempts":1,"route":"user","service":"users","instance":"http://10.0.0.1:5101","client":"203.0.113.7","userAgent":"curl/8.5.0","traceId":"4bf92f3577b34da6a3ce929d0e0e4736"}"""
                + "\n",
            AccessLines.Line(AccessLines.Json(), AccessLines.Record)
        );

    [Fact]
    public void Json_OfARequestThatMatchedNothing_LeavesOutWhatThereIsNot()
    {
        var record = AccessLines.Record with
        {
            Route = null,
            Service = null,
            Instance = null,
            Attempts = 0,
            Upstream = default,
            Query = "",
            UserAgent = null,
            Client = null,
            Status = 404,
            Error = "route-not-found",
        };
        Assert.Equal(
            """{"time":"2026-11-23T12:00:00.123Z","method":"GET","host":"api.example.com","path":"/api/users/42","protocol":"HTTP/2","status":404,"requestBytes":0,"responseBytes":187,"durationMs":12.345,"gatewayMs":12.345,"error":"route-not-found","client":"-","traceId":"4bf92f3577b34da6a3ce929d0e0e4736"}"""
                + "\n",
            AccessLines.Line(AccessLines.Json(), record)
        );
    }

    [Fact]
    public void Json_AskedForHeaders_HasThemWithoutSecrets()
    {
        var config = AccessLines.Json("X-Request-Id", "Referer", "Authorization", "X-Tenant", "X-Absent") with
        {
            Redact = new RedactConfig { Headers = ["x-tenant"] },
        };
        var record = AccessLines.Record with
        {
            Headers =
            [
                "abc",
                "https://a.example/cb?code=s3cret&x=1",
                "Bearer s3cret",
                new StringValues(["s3cret", "s3cret"]),
                StringValues.Empty,
            ],
        };
        using var line = JsonDocument.Parse(AccessLines.Line(config, record));
        Assert.Equal(
            """{"X-Request-Id":"abc","Referer":"https://a.example/cb?code=REDACTED&x=1","Authorization":"REDACTED","X-Tenant":"REDACTED"}""",
            line.RootElement.GetProperty("headers").GetRawText()
        );
    }

    [Fact]
    public void Text_OfARequest_HasColumnsThenNames() =>
        Assert.Equal(
            "2026-11-23T12:00:00.123Z  200      12.345ms  GET     api.example.com/api/users/42?fields=name&access_token=REDACTED  "
                + "client=203.0.113.7 route=user service=users instance=http://10.0.0.1:5101 attempts=1 upstream=11.872ms "
                + "gateway=0.473ms in=0 out=187 protocol=HTTP/2 trace=4bf92f3577b34da6a3ce929d0e0e4736 agent=\"curl/8.5.0\"\n",
            AccessLines.Line(new AccessLogConfig { Format = AccessLogFormat.Text }, AccessLines.Record)
        );

    [Fact]
    public void Template_OfTheCombinedFormat_IsFilledIn()
    {
        var record = AccessLines.Record with { Headers = ["https://a.example/?token=s3cret"], UserAgent = "Mozilla/5.0 (X11) \"quoted\"" };
        Assert.Equal(
            """203.0.113.7 - - [2026-11-23T12:00:00.123Z] "GET /api/users/42?fields=name&access_token=REDACTED HTTP/2" 200 187 "https://a.example/?token=REDACTED" "Mozilla/5.0 (X11) \x22quoted\x22" """
                + "\n",
            AccessLines.Line(AccessLines.Template(Combined), record)
        );
    }

    [Fact]
    public void Template_OfEveryPlaceholder_IsFilledIn()
    {
        const string All =
            "{time} {method} {host} {path} {query} {target} {protocol} {status} {requestBytes} {responseBytes} {durationMs} "
            + "{upstreamMs} {gatewayMs} {attempts} {route} {service} {instance} {error} {detail} {grpcStatus} {client} "
            + "{caller} {userAgent} {traceId} {header:X-A} {{}}";
        var record = AccessLines.Record with
        {
            Query = "?a=1",
            RequestBytes = 5,
            Error = "internal",
            Detail = "why",
            GrpcStatus = 13,
            Caller = "acme",
            Headers = ["v"],
        };
        Assert.Equal(
            "2026-11-23T12:00:00.123Z GET api.example.com /api/users/42 a=1 /api/users/42?a=1 HTTP/2 200 5 187 12.345 11.872 0.473 1 "
                + "user users http://10.0.0.1:5101 internal why 13 203.0.113.7 acme curl/8.5.0 4bf92f3577b34da6a3ce929d0e0e4736 v {}\n",
            AccessLines.Line(AccessLines.Template(All), record)
        );
        var names = All.Split(' ').Where(w => w is not ("{{}}" or "{header:X-A}")).Select(w => w.Trim('{', '}'));
        Assert.Equal(names, AccessLogTemplate.KnownNames.Split(", ").Select(w => w.Trim('`', '{', '}')).Where(n => n != "header:NAME"));
    }

    [Fact]
    public void Template_OfWhatIsAbsent_HasDashes()
    {
        var record = AccessLines.Record with
        {
            Query = "",
            Route = null,
            Attempts = 0,
            UserAgent = null,
            Client = null,
            Headers = [StringValues.Empty],
        };
        Assert.Equal(
            "- - - - - - 0\n",
            AccessLines.Line(AccessLines.Template("{client} {query} {route} {upstreamMs} {userAgent} {header:X-A} {attempts}"), record)
        );
    }

    [Fact]
    public void Client_OfAnIPv4AddressOnAnIPv6Socket_IsIPv4() =>
        Assert.Equal(
            "192.0.2.1\n",
            AccessLines.Line(AccessLines.Template("{client}"), AccessLines.Record with { Client = IPAddress.Parse("::ffff:192.0.2.1") })
        );

    [Fact]
    public void Line_OfAnyValues_IsOneLineWithoutControlCharacters() =>
        Records.Sample(record =>
        {
            AccessLogConfig[] configs =
            [
                AccessLines.Json("X-A", "X-B"),
                new AccessLogConfig { Format = AccessLogFormat.Text },
                AccessLines.Template("{header:X-A} {header:X-B} \"{userAgent}\" {target} {host} {method}"),
            ];
            foreach (var config in configs)
            {
                var line = AccessLines.Line(config, record);
                Assert.Equal(line.Length - 1, line.IndexOf('\n', StringComparison.Ordinal));
                Assert.DoesNotContain(line[..^1], c => char.IsControl(c) || c is '\u2028' or '\u2029');
            }
        });

    [Fact]
    public void Json_OfAnyValues_ReadsBack() =>
        Records.Sample(record =>
        {
            using var line = JsonDocument.Parse(AccessLines.Line(AccessLines.Json("X-A", "X-B"), record));
            Assert.Equal(WithoutLoneSurrogates(FieldText.ToText(record.UserAgent!)), line.RootElement.GetProperty("userAgent").GetString());
            Assert.Equal(200, line.RootElement.GetProperty("status").GetInt32());
            Assert.Equal(19, line.RootElement.EnumerateObject().Count(p => p.Name != "query"));
        });

    /// <summary>Fields are bytes; UTF-8 is written as text, and anything that could end a line is escaped.</summary>
    [Theory]
    [InlineData("caf\u00c3\u00a9", "café", "\"café\"")]
    [InlineData("caf\u00e9", "café", "\"café\"")]
    [InlineData("\u00c3\u00a9\u00ff", "\u00c3\u00a9\u00ff", "\"\u00c3\u00a9\u00ff\"")]
    [InlineData("a\u00c2\u0085b\u00e2\u0080\u00a8c", "a\u0085b\u2028c", "\"a\\u0085b\\u2028c\"")]
    public void Json_OfFieldsAboveAscii_DecodesThem(string bytes, string text, string written)
    {
        var line = AccessLines.Line(
            AccessLines.Json("X-A"),
            AccessLines.Record with
            {
                UserAgent = bytes,
                Host = bytes,
                Headers = [bytes],
            }
        );
        using var json = JsonDocument.Parse(line);
        Assert.Equal(
            [text, text, text],
            [
                json.RootElement.GetProperty("userAgent").GetString(),
                json.RootElement.GetProperty("host").GetString(),
                json.RootElement.GetProperty("headers").GetProperty("X-A").GetString(),
            ]
        );
        Assert.Contains("\"userAgent\":" + written, line, StringComparison.Ordinal);
    }

    [Fact]
    public void Template_OfAnyValues_KeepsItsFields() =>
        Records.Sample(record =>
        {
            // Whatever clients send, a reader that splits at spaces and quotation marks finds the same fields.
            var line = AccessLines.Line(
                AccessLines.Template("{method} {target} \"{userAgent}\" {host} {header:X-A} {status}"),
                record with
                {
                    Headers = [record.Headers![0]],
                }
            )[..^1];
            var quotes = line.Split('"');
            Assert.Equal(3, quotes.Length);
            Assert.Equal(2, quotes[0].TrimEnd().Split(' ').Length);
            var rest = quotes[2].TrimStart().Split(' ');
            Assert.Equal((3, "200"), (rest.Length, rest[2]));
        });

    private static string WithoutLoneSurrogates(string text) =>
        System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text));

    private static Gen<string> Texts { get; } =
        Gen.Frequency(
            (3, Gen.Char['\0', '\xff'].Array[0, 12].Select(c => new string(c))),
            (1, Gen.Char.Array[0, 12].Select(c => new string(c))),
            (
                1,
                OneOf(
                    "",
                    " ",
                    "\r\n",
                    "a\" 200 \"b",
                    "\\",
                    "\\x0A",
                    "\u2028",
                    "\u0085",
                    "\u001b[2J",
                    "{status}",
                    "\n2026-11-23T12:00:00.123Z  200"
                )
            )
        );

    private static Gen<AccessRecord> Records { get; } =
        Gen.Select(Texts, Texts, Texts, Texts, Texts)
            .Select(t =>
                AccessLines.Record with
                {
                    Path = "/" + t.Item1,
                    Query = "?" + t.Item2,
                    Host = t.Item3,
                    UserAgent = t.Item4,
                    Method = t.Item5,
                    Headers = [t.Item3, new StringValues([t.Item4, t.Item5])],
                    Attempts = 1,
                }
            );

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);
}
