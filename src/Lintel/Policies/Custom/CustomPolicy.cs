using Lintel.Errors;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Lintel.Policies.Custom;

/// <summary>Takes part in all phases on behalf of a policy of the application.</summary>
internal sealed class CustomPolicy(GatewayPolicy policy) : Policy, IAdmitting, IAnswering, IResponding, IConcluding
{
    public async ValueTask<GatewayError?> AdmitAsync(Exchange exchange) =>
        await policy.AdmitAsync(new PolicyContext(exchange), exchange.Aborted).ConfigureAwait(false) is { } refusal
            ? new GatewayError(GatewayErrorKind.RefusedByPolicy, refusal.Detail)
            {
                Headers = refusal.Headers,
                OwnRule = RuleOf(refusal.Status),
            }
            : null;

    public async ValueTask<bool> AnswerAsync(Exchange exchange)
    {
        if (await policy.AnswerAsync(new PolicyContext(exchange), exchange.Aborted).ConfigureAwait(false) is not { } answer)
            return false;
        exchange.Response.StatusCode = answer.Status;
        foreach (var (name, value) in answer.Headers)
            exchange.Response.Headers.Append(name, value);
        await AnswerContent.WriteAsync(exchange, answer.ContentType, answer.Body).ConfigureAwait(false);
        return true;
    }

    public void Respond(Exchange exchange) => policy.Respond(new PolicyContext(exchange));

    public void Conclude(Exchange exchange, GatewayError? error) => policy.Conclude(new PolicyContext(exchange), error?.Rule.Slug);

    private static ErrorRule RuleOf(int status) =>
        ErrorTable.Get(GatewayErrorKind.RefusedByPolicy).WithStatus(status) with
        {
            Title = ReasonPhrases.GetReasonPhrase(status) is { Length: > 0 } phrase ? phrase : "The request was refused",
        };
}
