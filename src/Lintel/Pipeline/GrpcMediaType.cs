using Lintel.Carriers;
using Microsoft.AspNetCore.Http;

namespace Lintel.Pipeline;

/// <summary>The gRPC dialect of a request.</summary>
internal enum GrpcDialect
{
    /// <summary>Not gRPC.</summary>
    None,

    /// <summary>gRPC over HTTP/2.</summary>
    Plain,

    /// <summary>gRPC-Web in binary form: the trailers are a frame of the body.</summary>
    Web,

    /// <summary>gRPC-Web in base64.</summary>
    WebText,
}

/// <summary>
/// A media type of gRPC: <c>application/grpc</c>, <c>application/grpc-web</c> or <c>application/grpc-web-text</c>, and the message format
/// after it.
/// </summary>
/// <param name="Dialect">The dialect; <see cref="GrpcDialect.None"/> for any other media type.</param>
/// <param name="Format"><c>+proto</c> or the like; often empty.</param>
internal readonly record struct GrpcMediaType(GrpcDialect Dialect, string Format)
{
    private const string Prefix = "application/grpc";

    /// <summary>The media type as it appears in <c>Content-Type</c>.</summary>
    public string Text => NameOf(Dialect) + Format;

    /// <summary>
    /// The gRPC media type of a request: the method must be POST, and plain gRPC requires HTTP/2 or later. Any client can set the media
    /// type on any request, so the media type alone does not make it a call.
    /// </summary>
    public static GrpcMediaType Of(ClientRequest request)
    {
        if (!HttpMethods.IsPost(request.Method) || request.ContentType is not { } type)
            return default;
        var media = Of(type);
        return media.Dialect == GrpcDialect.Plain && !request.IsStream ? default : media;
    }

    /// <summary>Parses a <c>Content-Type</c>; parameters are ignored.</summary>
    public static GrpcMediaType Of(string? contentType)
    {
        if (contentType is null || !contentType.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            return default;
        var rest = contentType.AsSpan(Prefix.Length);
        var end = rest.IndexOf(';');
        if (end >= 0)
            rest = rest[..end];
        rest = rest.TrimEnd();
        var plus = rest.IndexOf('+');
        var dialect = (plus < 0 ? rest : rest[..plus]) switch
        {
            "" => GrpcDialect.Plain,
            var name when name.Equals("-web", StringComparison.OrdinalIgnoreCase) => GrpcDialect.Web,
            var name when name.Equals("-web-text", StringComparison.OrdinalIgnoreCase) => GrpcDialect.WebText,
            _ => GrpcDialect.None,
        };
        return dialect == GrpcDialect.None ? default : new(dialect, plus < 0 ? "" : rest[plus..].ToString());
    }

    private static string NameOf(GrpcDialect dialect) =>
        dialect switch
        {
            GrpcDialect.Web => Prefix + "-web",
            GrpcDialect.WebText => Prefix + "-web-text",
            _ => Prefix,
        };
}
