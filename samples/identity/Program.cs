using Lintel.Samples.Identity;

// identity [URL]: runs the provider until it is stopped.
var url = new Uri(args.Length > 0 ? args[0] : "http://127.0.0.1:5401");
var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    stop.TrySetResult();
};
await using var provider = IdentityProvider.Create(url);
await provider.StartAsync();
Console.WriteLine($"identity {url}");
await stop.Task;
await provider.StopAsync();
