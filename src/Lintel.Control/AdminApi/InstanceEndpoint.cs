using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Lintel.Control.Status;
using Lintel.Hosting;
using Lintel.Services;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lintel.Control.AdminApi;

/// <summary>The body of a change by hand.</summary>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record InstanceChange
{
    /// <summary>The maximum length of <see cref="Reason"/>.</summary>
    public const int LongestReason = 256;

    /// <summary>Why, for the log and for other operators: 1 to 256 characters without line breaks; absent for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }

    /// <summary>Whether the reason may be shown in logs and terminals.</summary>
    internal bool IsValid => Reason is null || (Reason.Length is > 0 and <= LongestReason && Reason.All(IsPlain));

    private static bool IsPlain(char c) =>
        char.GetUnicodeCategory(c)
            is not (
                UnicodeCategory.Control
                or UnicodeCategory.Format // would reorder or hide text in a terminal
                or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator
            );
}

/// <summary>Drains, ejects or returns an instance.</summary>
/// <param name="verb">What follows the instance in the path, after a colon.</param>
/// <param name="summary">The description.</param>
/// <param name="gateway">The gateway.</param>
/// <param name="change">Makes the change: of an instance of a service, by a client, for a reason.</param>
internal sealed class InstanceEndpoint(string verb, string summary, Gateway gateway, Action<Service, Instance, string, string?> change)
    : AdminEndpoint(Prefix + "{name}" + Middle + "{instance}:" + verb, summary)
{
    private const string Prefix = "/api/v1/services/";

    private const string Middle = "/instances/";

    public override bool IsChange => true;

    public override JsonTypeInfo Body => AdminJson.Default.InstanceChange;

    public override JsonTypeInfo Answer => AdminJson.Default.InstanceStatus;

    /// <summary>Whether the path is that of an instance and ends with the verb.</summary>
    /// <param name="path">The path of the request.</param>
    /// <param name="name">The name of the service.</param>
    public bool Matches(string path, out string name)
    {
        name = "";
        if (!path.StartsWith(Prefix, StringComparison.Ordinal) || !path.EndsWith(":" + verb, StringComparison.Ordinal))
            return false;
        var middle = path.IndexOf(Middle, StringComparison.Ordinal);
        if (middle < Prefix.Length)
            return false;
        name = path[Prefix.Length..middle];
        return name.Length > 0 && !name.Contains('/', StringComparison.Ordinal);
    }

    public override async Task<Problem?> RunAsync(HttpContext context, string name, RequestDelegate next)
    {
        if (gateway.FindRunning(name) is not { } service)
            return Problems.NoSuch("service", name, gateway.Config?.Services.Keys ?? []);
        var instances = service.Instances; // once: it may be exchanged at any time
        if (Find(instances, InstanceOf(context), out var problem) is not { } place)
            return problem;
        var (body, refusal) = await ReadAsync(context).ConfigureAwait(false);
        if (refusal is not null)
            return refusal;
        change(service, instances.All[place], ClientOf(context), body.Reason);
        var status = InstanceStatus.Of(
            instances.Members[place].Config,
            service.Instances,
            instances.All[place],
            service.Health is not null
        );
        await WriteAsync(context, status, AdminJson.Default.InstanceStatus).ConfigureAwait(false);
        return null;
    }

    /// <summary>
    /// The instance in the path, from the target as it was sent: the server decodes all escapes except those of slashes.
    /// </summary>
    private string InstanceOf(HttpContext context)
    {
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var end = target.IndexOf('?', StringComparison.Ordinal);
        var path = end < 0 ? target : target[..end];
        path = path[(path.IndexOf(Middle, StringComparison.OrdinalIgnoreCase) + Middle.Length)..];
        var text = Uri.UnescapeDataString(path);
        return text.EndsWith(":" + verb, StringComparison.Ordinal) ? text[..^(verb.Length + 1)] : text;
    }

    private static int? Find(InstanceSet instances, string text, out Problem? problem)
    {
        problem = null;
        var places = Places(i => InstanceStatus.AddressOf(instances.Members[i].Config).Equals(text, StringComparison.Ordinal));
        if (places.Count == 0)
            places = Places(i => AuthorityOf(instances.All[i]).Equals(text, StringComparison.OrdinalIgnoreCase));
        if (places.Count == 1)
            return places[0];
        var known = instances.Members.Select(m => InstanceStatus.AddressOf(m.Config));
        problem = places.Count == 0 ? Problems.NoSuch("instance", text, known) : Problems.Ambiguous(text, known);
        return null;

        List<int> Places(Predicate<int> matches) => [.. Enumerable.Range(0, instances.All.Length).Where(i => matches(i))];
    }

    private static string AuthorityOf(Instance instance) =>
        instance.Host.Contains(':', StringComparison.Ordinal)
            ? string.Create(CultureInfo.InvariantCulture, $"[{instance.Host}]:{instance.Port}")
            : string.Create(CultureInfo.InvariantCulture, $"{instance.Host}:{instance.Port}");

    private static string ClientOf(HttpContext context)
    {
        var address = context.Connection.RemoteIpAddress;
        return address is null ? "a local client" : (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString();
    }

    private static async ValueTask<(InstanceChange Body, Problem? Refusal)> ReadAsync(HttpContext context)
    {
        var none = new InstanceChange();
        if (context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false })
            return (none, null);
        var bytes = new byte[AdminLimits.ReadBodyBytes + 1];
        int length;
        try
        {
            length = await context
                .Request.Body.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, context.RequestAborted)
                .ConfigureAwait(false);
        }
        catch (BadHttpRequestException e)
        {
            context.Response.Headers.Connection = "close"; // what follows on the connection cannot be framed, or is not read
            return (none, e.StatusCode == StatusCodes.Status413PayloadTooLarge ? Problems.BodyTooLarge : Problems.BadBody);
        }

        if (length > AdminLimits.ReadBodyBytes)
        {
            context.Response.Headers.Connection = "close";
            return (none, Problems.BodyTooLarge);
        }

        if (length == 0)
            return (none, null);
        if (!context.Request.HasJsonContentType())
            return (none, Problems.BadBody);
        try
        {
            var body = JsonSerializer.Deserialize(bytes.AsSpan(0, length), AdminJson.Default.InstanceChange);
            return body is { IsValid: true } ? (body, null) : (none, Problems.BadBody);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter: an escape that is half a character
        {
            return (none, Problems.BadBody);
        }
    }
}
