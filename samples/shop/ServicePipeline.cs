using System.Globalization;
using Microsoft.AspNetCore.WebUtilities;

namespace Lintel.Samples.Shop;

/// <summary>What every request to every service passes: who answered, the knobs, and one form for all errors.</summary>
internal static class ServicePipeline
{
    public static void Use(WebApplication app, string service, Knobs knobs, TimeProvider time)
    {
        app.Use((context, next) => NameAndRescueAsync(context, next, service));
        app.Use((context, next) => TurnKnobsAsync(context, next, knobs, time));
    }

    /// <summary>Says which instance answers, and makes problems of empty errors (no route, wrong method) and unreadable requests.</summary>
    private static async Task NameAndRescueAsync(HttpContext context, RequestDelegate next, string service)
    {
        var response = context.Response;
        response.Headers["X-Service"] = string.Create(CultureInfo.InvariantCulture, $"{service}@{context.Connection.LocalPort}");
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return; // The client left; there is nobody to answer.
        }
        catch (BadHttpRequestException error) when (!response.HasStarted)
        {
            await Answers.ProblemAsync(context, error.StatusCode, error.Message);
            return;
        }

        if (response is { HasStarted: false, StatusCode: >= 400, ContentLength: null, ContentType: null })
        {
            var request = context.Request;
            await Answers.ProblemAsync(
                context,
                response.StatusCode,
                response.StatusCode switch
                {
                    StatusCodes.Status404NotFound => $"{service} has nothing at {request.Path}; GET / lists what it has.",
                    StatusCodes.Status405MethodNotAllowed => $"{request.Path} takes {response.Headers.Allow}, not {request.Method}.",
                    _ => ReasonPhrases.GetReasonPhrase(response.StatusCode),
                }
            );
        }
    }

    /// <summary>Waits and fails as the knobs and the request's own <c>?delay=</c> and <c>?fail=</c> say.</summary>
    private static async Task TurnKnobsAsync(HttpContext context, RequestDelegate next, Knobs knobs, TimeProvider time)
    {
        var path = context.Request.Path;
        if (path.StartsWithSegments("/healthz") || path.StartsWithSegments("/knobs"))
        {
            await next(context);
            return;
        }

        var (delay, failure) = knobs.Draw();
        var query = context.Request.Query;
        if (query.TryGetValue("delay", out var wantedDelay) && !Duration.TryParse(wantedDelay, out delay))
        {
            await Answers.BadRequestAsync(context, "delay", $"is {Duration.Expected}");
            return;
        }

        if (query.TryGetValue("fail", out var wantedFailure))
        {
            if (!Input.TryInt(wantedFailure, Knobs.LowestFailure, Knobs.HighestFailure, out var status))
            {
                await Answers.BadRequestAsync(context, "fail", $"is {Knobs.ExpectedFailure}");
                return;
            }

            failure = status;
        }

        if (delay > TimeSpan.Zero)
            await Task.Delay(delay, time, context.RequestAborted);
        if (failure is { } asked)
            await Answers.ProblemAsync(context, asked, "This service fails because its knobs, or this request's ?fail=, ask for it.");
        else
            await next(context);
    }
}
