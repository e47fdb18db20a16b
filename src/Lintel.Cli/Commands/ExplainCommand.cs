using System.CommandLine;
using System.Text.Json;
using Lintel.Control.Explaining;
using Lintel.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Lintel.Cli.Commands;

/// <summary><c>lintel explain FILE… "METHOD /path"</c></summary>
internal static class ExplainCommand
{
    public static Command Create()
    {
        var words = new Argument<string[]>("FILE… REQUEST")
        {
            Description = "The configuration's files, then the request: \"GET /api/users/42\".",
            Arity = new ArgumentArity(2, 1000),
        };
        var headers = new Option<string[]>("--header", "-H")
        {
            Description = "A header of the request: -H \"X-Client: ios\".",
            HelpName = "NAME: VALUE",
        };
        var listener = new Option<string>("--listener")
        {
            Description = "The listener that receives the request. Default: the first one of the target's scheme.",
            HelpName = "NAME",
        };
        var client = new Option<string>("--as")
        {
            Description = "The configured client that is assumed to be the caller.",
            HelpName = "CLIENT",
        };
        var claims = new Option<string>("--claims")
        {
            Description = "Claims that the caller is assumed to have: --claims '{\"sub\":\"kim\"}'.",
            HelpName = "JSON",
        };
        var format = new Option<string>("--format") { Description = "Output format.", DefaultValueFactory = _ => "text" };
        format.AcceptOnlyFromAmong("text", "json");
        var command = new Command(
            "explain",
            "Shows which route a request matches, why the others lose, and what would be sent; sends nothing. Exits with 1 if the "
                + "gateway would refuse the request."
        )
        {
            words,
            headers,
            listener,
            client,
            claims,
            format,
        };
        command.SetAction(parse =>
        {
            var all = parse.GetValue(words)!;
            var request = ExplainRequest
                .Parse(all[^1], parse.GetValue(headers) ?? [], out var problem)
                ?.Of(parse.GetValue(client), parse.GetValue(claims), out problem);
            if (request is not null)
                return Run(
                    all[..^1],
                    request with
                    {
                        Listener = parse.GetValue(listener),
                    },
                    parse.GetValue(format) == "json",
                    parse.InvocationConfiguration
                );
            parse.InvocationConfiguration.Error.WriteLine(problem);
            return ExitCode.Invalid;
        });
        return command;
    }

    private static int Run(string[] files, ExplainRequest request, bool asJson, InvocationConfiguration streams)
    {
        using var services = new ServiceCollection().AddLogging().AddLintelServer(files).BuildServiceProvider();
        var explanation = RequestExplainer.Explain(services.GetRequiredService<Gateway>(), request);
        if (!explanation.Report.IsValid)
        {
            ReportFormat.Write(explanation.Report, asJson ? "json" : "text", streams.Output);
            return ExitCode.Invalid;
        }

        streams.Output.Write(asJson ? JsonSerializer.Serialize(explanation, ExplainJson.Default.Explanation) + "\n" : explanation.ToText());
        return explanation.RefusedWith is null ? ExitCode.Ok : ExitCode.Invalid;
    }
}
