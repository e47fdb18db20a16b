using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Hosting;

namespace Lintel.Bench.Faulty;

/// <summary>
/// One process of a service: JSON over HTTP/1.1 (a GET, or a POST whose body it reads), unary gRPC over HTTP/2 without TLS. It does wrong
/// what the control port was told: <see cref="FaultKind"/>, <c>delay MS</c>, <c>capacity N</c>. <c>count</c> answers with its counts.
/// </summary>
internal sealed class Instance : IDisposable
{
    private const string HealthPath = "/healthz";

    private static readonly byte[] Json = """{"id":1,"name":"a service's answer","tags":["a","b","c"]}"""u8.ToArray();
    private static readonly byte[] Message = [0, 0, 0, 0, 4, 8, 1, 16, 2]; // not compressed, 4 bytes of protobuf

    private readonly Counts _counts = new();
    private volatile Fault _fault = Fault.None;
    private volatile SemaphoreSlim? _places;

    private Instance() { }

    public static async Task<int> RunAsync(IPAddress address, int http, int grpc, int control)
    {
        using var instance = new Instance();
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder
            .WebHost.UseKestrelCore()
            .UseSockets(o => o.Backlog = 1024)
            .UseShutdownTimeout(TimeSpan.FromSeconds(3)) // requests under way end
            .ConfigureKestrel(o =>
            {
                o.AddServerHeader = false;
                o.Listen(address, http, l => instance.Listen(l, HttpProtocols.Http1));
                o.Listen(address, grpc, l => instance.Listen(l, HttpProtocols.Http2));
            });
        await using var application = builder.Build();
        application.Run(instance.AnswerAsync);
        await application.StartAsync();
        var ends = application.Lifetime.ApplicationStopping;
        var controlled = ControlPort.RunAsync(control, instance.Told, ends);
        await application.WaitForShutdownAsync(CancellationToken.None);
        await controlled.ContinueWith(static _ => { }, TaskScheduler.Default);
        return 0;
    }

    public void Dispose() => _places?.Dispose();

    private void Listen(ListenOptions listen, HttpProtocols protocol)
    {
        listen.Protocols = protocol;
        listen.Use(next =>
            connection =>
            {
                _counts.Connected();
                return next(connection);
            }
        );
    }

    private string Told(string[] words)
    {
        switch (words)
        {
            case ["count"]:
                return _counts.ToString();
            case ["capacity", var number]:
                _places = new SemaphoreSlim(Fault.Number(number));
                return "ok";
            default:
                _fault = Fault.Parse(words, _fault);
                return "ok";
        }
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var fault = _fault;
        var number = context.Request.Path == HealthPath ? 0 : _counts.Requested();
        await context.Request.Body.CopyToAsync(Stream.Null, context.RequestAborted);
        if (number != 0 && _places is { } places) // a service whose checks wait in its own queue would be taken out for being busy
            await WorkAsync(places, fault.Delay, context.RequestAborted);
        else if (fault.Delay > TimeSpan.Zero)
            await Task.Delay(fault.Delay, context.RequestAborted);
        var isFaulty =
            fault.Kind != FaultKind.Well
            && (number == 0 ? fault.Kind == FaultKind.Half && Random.Shared.Next(2) == 0 : number % fault.Every == 0);
        if (isFaulty)
            _counts.Failed();
        var isGrpc = context.Request.Protocol == HttpProtocol.Http2;
        switch (isFaulty ? fault.Kind : FaultKind.Well)
        {
            case FaultKind.Rst:
                Reset(context);
                break;
            case FaultKind.Half when !isGrpc:
                context.Response.StatusCode = 500;
                await context.Response.WriteAsync("no");
                break;
            case FaultKind.Half:
                context.Response.ContentType = "application/grpc";
                context.Response.Headers.GrpcStatus = "14";
                break;
            case var kind when isGrpc:
                await CallAsync(context, isCut: kind == FaultKind.Cut);
                break;
            case var kind:
                await JsonAsync(context, kind);
                break;
        }
    }

    private static async Task WorkAsync(SemaphoreSlim places, TimeSpan time, CancellationToken aborted)
    {
        await places.WaitAsync(aborted);
        try
        {
            await Task.Delay(time, CancellationToken.None); // who has begun works to the end, whether anybody waits for it or not
        }
        finally
        {
            places.Release();
        }
    }

    private static void Reset(HttpContext context)
    {
        var socket = context.Features.GetRequiredFeature<IConnectionSocketFeature>().Socket;
        socket.LingerState = new LingerOption(true, 0);
        socket.Close();
        context.Abort();
    }

    private static async Task CallAsync(HttpContext context, bool isCut)
    {
        context.Response.ContentType = "application/grpc";
        if (isCut)
        {
            await context.Response.BodyWriter.WriteAsync(Message.AsMemory(0, Message.Length / 2), context.RequestAborted);
            context.Abort();
            return;
        }

        context.Response.DeclareTrailer("grpc-status");
        await context.Response.BodyWriter.WriteAsync(Message, context.RequestAborted);
        context.Response.AppendTrailer("grpc-status", "0");
    }

    private static async Task JsonAsync(HttpContext context, FaultKind kind)
    {
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = Json.Length;
        var count = kind == FaultKind.Cut ? Json.Length / 2 : Json.Length;
        await context.Response.BodyWriter.WriteAsync(Json.AsMemory(0, count), context.RequestAborted);
        // After the head: a Connection field would be in it otherwise. What is missing of a cut answer makes Kestrel end the connection.
        if (kind == FaultKind.Fin)
            context.Features.GetRequiredFeature<IConnectionLifetimeNotificationFeature>().RequestClose();
    }
}
