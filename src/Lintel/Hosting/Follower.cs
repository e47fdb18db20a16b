using System.Runtime.CompilerServices;

namespace Lintel.Hosting;

/// <summary>Those who follow the configuration, by the name that a log line gives them.</summary>
internal static class Follower
{
    /// <summary>The type that the code belongs to, as its source names it.</summary>
    public static string NameOf(Delegate handler)
    {
        var type = handler.Method.DeclaringType;
        while (type is { DeclaringType: { } outer } && type.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false))
            type = outer;
        return type?.Name ?? handler.Method.Name;
    }
}
