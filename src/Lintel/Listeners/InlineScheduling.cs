using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Hosting.Server;

namespace Lintel.Listeners;

/// <summary>Makes Kestrel run inline on the event loop, instead of dispatching each step of HTTP/2 to the thread pool.</summary>
/// <remarks>
/// Kestrel knows both ways: the reader of frames, the streams' requests and the writer of frames ask its <c>ServiceContext.Scheduler</c>.
/// That is the thread pool, and no option sets it (10.0). The pool is right where a request's code may block. Here nothing blocks, and the
/// connection to the service lives on the client's loop: going to the pool and back costs each request two switches of threads. Where a
/// later Kestrel has no such property, requests run on the pool as before: right, and slower. A test notices.
/// </remarks>
internal static class InlineScheduling
{
    private const string Server = "Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServerImpl, Microsoft.AspNetCore.Server.Kestrel.Core";
    private const string Context =
        "Microsoft.AspNetCore.Server.Kestrel.Core.Internal.ServiceContext, Microsoft.AspNetCore.Server.Kestrel.Core";

    /// <returns>False if this version of Kestrel does not support it.</returns>
    public static bool TryUse(IServer kestrel)
    {
        try
        {
            SetScheduler(GetContext(kestrel), PipeScheduler.Inline);
            return true;
        }
        catch (Exception e) when (e is MissingMethodException or TypeLoadException or InvalidCastException)
        {
            return false;
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_ServiceContext")]
    [return: UnsafeAccessorType(Context)]
    private static extern object GetContext([UnsafeAccessorType(Server)] object server);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_Scheduler")]
    private static extern void SetScheduler([UnsafeAccessorType(Context)] object context, PipeScheduler scheduler);
}
