using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using Lintel.Hosting;

namespace Lintel.Cli.Commands;

/// <summary><c>lintel schema</c></summary>
internal static class SchemaCommand
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static Command Create()
    {
        var command = new Command("schema", "Prints the JSON Schema of the configuration, for completion in editors.");
        command.SetAction(parse =>
        {
            parse.InvocationConfiguration.Output.WriteLine(ConfigSchema.Create(Documentation.Create()).ToJsonString(Indented));
            return ExitCode.Ok;
        });
        return command;
    }
}
