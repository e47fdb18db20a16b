using Lintel.TestKit;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Lintel.FunctionalTests.Composition;

/// <summary>A service of a composition, over sockets.</summary>
internal sealed class Backend : ScriptedAnswers, IAsyncDisposable
{
    private TestService _service = null!;

    public override string Address => _service.Address;

    public override IReadOnlyCollection<SeenRequest> Seen => _service.Seen;

    /// <summary>Nothing has been asked for yet: for a test that shares it with others.</summary>
    public void Forget() => _service.Seen.Clear();

    public static async Task<Backend> StartAsync(Action<ListenOptions>? listen = null)
    {
        var backend = new Backend();
        backend._service = await TestService.StartAsync(backend.AnswerAsync, listen);
        return backend;
    }

    public ValueTask DisposeAsync() => _service.DisposeAsync();
}
