using Lintel.Errors;
using Lintel.Pipeline;
using Microsoft.AspNetCore.Http;

namespace Lintel.Tests.Pipeline;

public sealed class ProblemWriterTests
{
    [Fact]
    public void Overloaded_AsAProblem_SaysWhenToComeAgain()
    {
        var context = new DefaultHttpContext();
        ProblemWriter.Fill(context.AsClient().Response, new GatewayError(GatewayErrorKind.Overloaded), "lintel", "trace");
        Assert.Equal(
            (503, "1", "lintel; error=proxy_internal_error"),
            (context.Response.StatusCode, (string?)context.Response.Headers.RetryAfter, (string?)context.Response.Headers["Proxy-Status"])
        );
    }

    [Fact]
    public void Internal_AsAProblem_PromisesNothing()
    {
        var context = new DefaultHttpContext();
        ProblemWriter.Fill(context.AsClient().Response, new GatewayError(GatewayErrorKind.Internal), "lintel", "trace");
        Assert.Equal(0, context.Response.Headers.RetryAfter.Count);
    }
}
