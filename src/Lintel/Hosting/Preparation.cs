using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Lintel.Carriers;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Transport.Loop;
using Microsoft.AspNetCore.Http;

namespace Lintel.Hosting;

/// <summary>
/// Does at startup what would otherwise be done at first use. .NET does not run a type initializer twice: one that fails because memory is
/// exhausted leaves its type broken for the rest of the process.
/// </summary>
internal static class Preparation
{
    private const string Trimmed = "A type that was trimmed away is never needed, and so is its initialiser.";

    /// <summary>Creates a response for each kind of error once.</summary>
    public static void PrepareErrors()
    {
        foreach (var rule in ErrorTable.All)
        {
            foreach (var contentType in new[] { null, "application/grpc", "application/grpc-web-text" })
            {
                var context = new DefaultHttpContext();
                context.Request.ContentType = contentType;
                ProblemWriter.Fill(new ClientRequest(context).Response, new GatewayError(rule.Kind, "detail"), "lintel", "");
            }
        }
    }

    /// <summary>Runs the initializers of all types of the gateway.</summary>
    /// <returns>The number of initializers.</returns>
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = Trimmed)]
    [UnconditionalSuppressMessage("Trimming", "IL2059", Justification = Trimmed)]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = Trimmed)]
    public static int InitializeTypes()
    {
        var count = 0;
        foreach (
            var type in new[] { typeof(Gateway).Assembly, typeof(EventLoop).Assembly, typeof(JmesPath.Expression).Assembly }.SelectMany(a =>
                a.GetTypes()
            )
        )
        {
            if (type.ContainsGenericParameters || type.TypeInitializer is null)
                continue;
            RuntimeHelpers.RunClassConstructor(type.TypeHandle);
            count++;
        }

        return count;
    }
}
