using System.Runtime.CompilerServices;

namespace Lintel.Hosting;

/// <summary>Names the followers of the configuration for log lines.</summary>
internal static class Follower
{
    /// <summary>Returns the type that declares the handler, by its name in the source.</summary>
    public static string NameOf(Delegate handler)
    {
        var type = handler.Method.DeclaringType;
        while (type is { DeclaringType: { } outer } && type.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false))
            type = outer;
        return type?.Name ?? handler.Method.Name;
    }
}
