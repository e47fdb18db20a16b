using System.Text.Json;
using Lintel.Composition;
using Lintel.Composition.Answers;
using Lintel.Composition.Calls;
using Lintel.Errors;
using Lintel.Forwarding;
using Lintel.Pipeline;
using Lintel.Policies.Validate.Schemas;
using Lintel.Routing;
using Lintel.Transport.Memory;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Lintel.Policies.Validate;

/// <summary>Phase 2, after authorization: refuses requests that are not as their schemas say.</summary>
internal sealed class ValidatePolicy : Policy, IAdmitting
{
    private readonly ValidateConfig _config;
    private readonly PolicyParts _parts;
    private readonly Schema? _body;
    private readonly ParameterSchema[] _query;
    private readonly ParameterSchema[] _headers;
    private readonly string[] _types;

    /// <exception cref="FormatException">A schema cannot be used.</exception>
    public ValidatePolicy(ValidateConfig config, PolicyParts parts)
    {
        (_config, _parts) = (config, parts);
        _body = config.Body is null ? null : SchemaCompiler.CompileFile(config.Body);
        _query = [.. config.Query.Select(q => new ParameterSchema(q.Key, q.Value))];
        _headers = [.. config.Headers.Select(h => new ParameterSchema(h.Key, h.Value))];
        _types = config.ContentTypes.Count == 0 && _body is not null ? [MediaRange.AnyJson] : [.. config.ContentTypes];
    }

    public async ValueTask<GatewayError?> AdmitAsync(Exchange exchange)
    {
        var faults = new List<RequestFault>();
        CheckParameters(exchange, faults);
        if (faults.Count > 0)
            return Invalid(faults);
        if (_types.Length > 0 && exchange.HasBody && !exchange.IsExtendedConnect && CheckType(exchange) is { } unsupported)
            return unsupported;
        return _body is null ? null : await CheckBodyAsync(exchange, _body).ConfigureAwait(false);
    }

    private void CheckParameters(Exchange exchange, List<RequestFault> faults)
    {
        foreach (var required in _config.Required)
        {
            var (part, name) = required[0] == 'q' ? ("parameter", required["query:".Length..]) : ("header", required["header:".Length..]);
            if ((part == "header" ? exchange.Request.Headers[name] : QueryValues.Find(exchange.RequestTarget.Query, name)).Count == 0)
                faults.Add(new("is required", part, name));
        }

        foreach (var parameter in _query)
        {
            var values = QueryValues.Find(exchange.RequestTarget.Query, parameter.Name);
            if (values.Count > 0 && parameter.Problem(values) is { } problem)
                faults.Add(new(problem, "parameter", parameter.Name));
        }

        foreach (var header in _headers)
        {
            var values = exchange.Bytes(exchange.Request.Headers[header.Name]);
            if (header.IsList) // RFC 9110 section 5.6.1: several lines are one list
                values = new StringValues([
                    .. values.SelectMany(v => (v ?? "").Split(',', StringSplitOptions.TrimEntries)).Where(v => v.Length > 0),
                ]);
            if (exchange.Request.Headers.ContainsKey(header.Name) && header.Problem(values) is { } problem)
                faults.Add(new(problem, "header", header.Name));
        }
    }

    private GatewayError? CheckType(Exchange exchange)
    {
        var headers = exchange.Request.Headers;
        var type = MediaRange.Of(headers.ContentType);
        if (type is null || !Array.Exists(_types, t => MediaRange.Takes(t, type.MediaType.Value!)))
            return Unsupported(
                "Accept",
                string.Join(", ", _types.Select(t => t == MediaRange.AnyJson ? "application/json" : t)),
                "the content has no media type that is accepted"
            );
        if (_body is null)
            return null;
        if (headers.ContentEncoding.Count > 0 && !"identity".Equals(headers.ContentEncoding, StringComparison.OrdinalIgnoreCase))
            return Unsupported("Accept-Encoding", "identity", "compressed content is not accepted");
        return
            type.Charset.HasValue
            && !type.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase)
            && !type.Charset.Equals("\"utf-8\"", StringComparison.OrdinalIgnoreCase)
            ? Unsupported("Accept", "application/json", "JSON is UTF-8") // RFC 8259 section 8.1
            : null;
    }

    /// <summary>Reads the content, validates it, and lets the target read it again.</summary>
    private async ValueTask<GatewayError?> CheckBodyAsync(Exchange exchange, Schema schema)
    {
        if (
            exchange.IsExtendedConnect
            || exchange.Route!.Target is ForwardTarget { Plan: { } plan } && plan.Upgrades.Choose(exchange) is not null
        )
            return Invalid([new("an upgrade is not possible where the content is validated", "header", "Upgrade")]);
        var method = exchange.Request.Method;
        var needsBody = HttpMethods.IsPost(method) || HttpMethods.IsPut(method) || HttpMethods.IsPatch(method);
        if (!exchange.HasBody)
            return needsBody ? Invalid([new("content is required", "pointer", "#")]) : null;
        var body = new AnswerBody();
        var held = new HeldBody(exchange.Request, body, exchange.Held);
        exchange.Held = held;
        body.TakeFrom(_parts.Memory, BufferUse.RequestBody);
        var error = await ClientBody.ReadAsync(exchange, body, _config.MaxBody, _config.Timeout, _parts.Time).ConfigureAwait(false);
        if (error is not null)
            return error;
        await OffLoop.ForMerge(body.Length); // documents of some size are parsed and validated elsewhere
        error = body.Length > 0 ? Check(body, schema) : Invalid([new("content is required", "pointer", "#")]);
        if (error is not null)
            return error;
        exchange.RequestBytes = 0; // whoever reads it again counts it
        held.Replay();
        return null;
    }

    private static GatewayError? Check(AnswerBody body, Schema schema)
    {
        try
        {
            using var document = AnswerReader.ParseJudged(body);
            var run = new Validation(ValidateConfig.MaxFaults);
            if (schema.Check(document.RootElement, run))
                return null;
            return run.IsTooComplex
                ? new GatewayError(GatewayErrorKind.InvalidRequest, "the content is too complex to be validated")
                : Invalid([.. run.Violations.Select(v => new RequestFault(v.Detail, "pointer", Fragment(v.Pointer)))]);
        }
        catch (JsonException e)
        {
            return new GatewayError(GatewayErrorKind.InvalidRequest, "the content is not valid JSON", e) { LogDetail = e.Message };
        }
        catch (InvalidOperationException e) // half of a surrogate pair, as an escape
        {
            return new GatewayError(GatewayErrorKind.InvalidRequest, "the content has text that is not Unicode", e);
        }
    }

    /// <summary>RFC 6901 section 6.</summary>
    private static string Fragment(string pointer) => "#" + string.Join('/', pointer.Split('/').Select(Uri.EscapeDataString));

    private static GatewayError Invalid(List<RequestFault> faults) =>
        new(GatewayErrorKind.InvalidRequest)
        {
            Faults = [.. faults.Take(ValidateConfig.MaxFaults)],
            LogDetail = $"{faults[0].Place} {faults[0].Detail}",
        };

    private static GatewayError Unsupported(string header, string accepted, string detail) =>
        new(GatewayErrorKind.UnsupportedMediaType, detail) { Headers = [new(header, accepted)] }; // RFC 9110 section 15.5.16
}
