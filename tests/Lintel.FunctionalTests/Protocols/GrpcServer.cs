using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>A service on Grpc.AspNetCore, over HTTP/2 without TLS.</summary>
internal sealed class GrpcServer : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly CanceledCalls _calls;

    private GrpcServer(WebApplication application, CanceledCalls calls) => (_application, _calls) = (application, calls);

    /// <summary>Completed when a call is canceled, renewed for every hanging call. One per server: classes run in parallel.</summary>
    public TaskCompletionSource Canceled
    {
        get => _calls.Next;
        set => _calls.Next = value;
    }

    /// <summary>The number of hanging calls that have arrived.</summary>
    public int Hanging => Volatile.Read(ref _calls.Hanging);

    public string Address => _application.Urls.First();

    public static async Task<GrpcServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(o => o.Listen(System.Net.IPAddress.Loopback, 0, l => l.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc(o =>
        {
            o.MaxReceiveMessageSize = null;
            o.MaxSendMessageSize = null;
        });
        var calls = new CanceledCalls();
        builder.Services.AddSingleton(calls);
        var application = builder.Build();
        application.MapGrpcService<ProbeService>();
        await application.StartAsync();
        return new GrpcServer(application, calls);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.Zero);
        await _application.StopAsync(now.Token);
        await _application.DisposeAsync();
    }

    private sealed class CanceledCalls
    {
        public int Hanging;

        public TaskCompletionSource Next { get; set; } = new();
    }

    private sealed class ProbeService(CanceledCalls calls) : Probe.ProbeBase
    {
        public override async Task<Answer> Say(Ask request, ServerCallContext context)
        {
            var seen = context.RequestHeaders;
            await context.WriteResponseHeadersAsync(
                new Metadata
                {
                    { "seen-text", seen.GetValue("text") ?? "-" },
                    { "seen-timeout", context.GetHttpContext().Request.Headers["grpc-timeout"].ToString() },
                    { "seen-type", context.GetHttpContext().Request.ContentType ?? "-" },
                }
            );
            context.ResponseTrailers.Add("end", "here");
            context.ResponseTrailers.Add("echo-bin", seen.GetValueBytes("data-bin") ?? []);
            return new Answer
            {
                Text = request.Text,
                Number = request.Data.Length,
                Data = ByteString.CopyFrom(new byte[request.Number]),
            };
        }

        public override async Task<Answer> Collect(IAsyncStreamReader<Ask> requestStream, ServerCallContext context)
        {
            var sum = 0;
            var texts = new List<string>();
            await foreach (var ask in requestStream.ReadAllAsync(context.CancellationToken))
            {
                sum += ask.Number;
                texts.Add(ask.Text);
            }

            return new Answer { Text = string.Join(',', texts), Number = sum };
        }

        public override async Task Count(Ask request, IServerStreamWriter<Answer> responseStream, ServerCallContext context)
        {
            if (request.Text == "refuse") // before any message: Trailers-Only
                throw new RpcException(
                    new Status(StatusCode.FailedPrecondition, "not now: 100 % \u00fcber"),
                    new Metadata { { "reason", "tired" } }
                );
            for (var i = 0; i < request.Number; i++)
                await responseStream.WriteAsync(new Answer { Number = i });
            switch (request.Text)
            {
                case "fail":
                    throw new RpcException(
                        new Status(StatusCode.DataLoss, "lost at " + request.Number.ToString(CultureInfo.InvariantCulture))
                    );
                case "abort":
                    context.GetHttpContext().Abort();
                    break;
                case "hang":
                    await HangAsync(context);
                    break;
                case "tick":
                    await TickAsync(responseStream, context);
                    break;
            }
        }

        public override async Task Chat(
            IAsyncStreamReader<Ask> requestStream,
            IServerStreamWriter<Answer> responseStream,
            ServerCallContext context
        )
        {
            try
            {
                await foreach (var ask in requestStream.ReadAllAsync(context.CancellationToken))
                {
                    if (ask.Text == "bye")
                        return; // before the client has ended its side
                    await responseStream.WriteAsync(new Answer { Text = ask.Text, Number = ask.Number });
                }
            }
            catch (Exception e) when (e is OperationCanceledException or IOException)
            {
                calls.Next.TrySetResult();
                throw;
            }
        }

        /// <summary>
        /// A message now and then: a client that has closed an HTTP/1.1 connection is noticed when something is sent to it.
        /// </summary>
        private async Task TickAsync(IServerStreamWriter<Answer> responseStream, ServerCallContext context)
        {
            try
            {
                while (true)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(50), context.CancellationToken);
                    await responseStream.WriteAsync(new Answer(), context.CancellationToken);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or InvalidOperationException)
            {
                calls.Next.TrySetResult();
                throw;
            }
        }

        private async Task HangAsync(ServerCallContext context)
        {
            Interlocked.Increment(ref calls.Hanging);
            try
            {
                await Task.Delay(Timeout.Infinite, context.CancellationToken);
            }
            catch (OperationCanceledException)
            {
                calls.Next.TrySetResult();
                throw;
            }
        }
    }
}
