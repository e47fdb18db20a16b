using System.IO.Pipelines;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Transport.Http1;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Lintel.Forwarding;

/// <summary>
/// Sends a request body to an instance while the response may already be arriving. Never throws: failures are reported to the reader of the
/// response.
/// </summary>
internal sealed class BodyPump(Exchange exchange, Service service, Http1Connection connection, Deadline deadline, TimeProvider time)
{
    /// <summary>
    /// How long to wait for 100 (Continue) before the body is sent anyway: a server may not support it, and RFC 9110 section 10.1.1 has the
    /// client continue after a while. SocketsHttpHandler waits 1 s.
    /// </summary>
    private static readonly TimeSpan PatienceForContinue = TimeSpan.FromSeconds(1);

    private readonly TaskCompletionSource? _goAhead = exchange.ExpectsContinue
        ? new(TaskCreationOptions.RunContinuationsAsynchronously)
        : null;
    private Task _pumping = Task.CompletedTask;
    private volatile bool _hasFinalHead;
    private volatile bool _isReading;

    /// <summary>Whether the body was sent completely, or abandoned.</summary>
    public bool IsOver => _pumping.IsCompleted;

    /// <summary>The error in the client's body; when set, the exchange was aborted.</summary>
    public GatewayError? Error { get; private set; }

    /// <summary>Starts sending, with the request head pending in the connection.</summary>
    public void Start() => _pumping = PumpAsync();

    /// <summary>Signals that the service requests the body.</summary>
    public void GoAhead() => _goAhead?.TrySetResult();

    /// <summary>Signals that the final response head has arrived: a body that still waits for 100 (Continue) is not sent.</summary>
    public void HeadCame()
    {
        _hasFinalHead = true;
        GoAhead();
    }

    /// <summary>Stops sending: the response is complete before the request, and the rest of the request is not needed.</summary>
    public Task StopAsync()
    {
        connection.Abort(Http1Failure.Aborted);
        HeadCame();
        if (_isReading)
            exchange.Request.BodyReader.CancelPendingRead();
        return _pumping;
    }

    private async Task PumpAsync()
    {
        try
        {
            if (_goAhead is { } goAhead && !await MayGoAheadAsync(goAhead.Task).ConfigureAwait(false))
                return;
            var reader = exchange.Request.BodyReader;
            bool isWhole,
                isTaken;
            do
            {
                // Inline and not in a separate method: an aborted client, and hundreds may be aborted at once, throws once less.
                _isReading = true;
                var reading = reader.ReadAsync();
                if (!reading.IsCompleted)
                    // the head need not wait for the body; a small body is sent with it
                    _ = await connection.FlushAsync().ConfigureAwait(false);
                var result = await reading.ConfigureAwait(false);
                _isReading = false;
                isWhole = Take(reader, result);
                if (!isWhole)
                    connection.Limit(service.IdleTimeout);
                isTaken = await connection.FlushAsync().ConfigureAwait(false);
            } while (!isWhole && isTaken);

            Sent(); // or the server accepts no more: its response may already be available
        }
        catch (Http1Exception e)
        {
            Fail(new GatewayError(GatewayErrorKind.BadRequestBody, Cause: e)); // a trailer that is not valid on a line
        }
        catch (BadHttpRequestException e)
        {
            Fail(GatewayError.OfRequestBody(e));
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            var left = exchange.IsAborted || e is ConnectionResetException or ConnectionAbortedException;
            Fail(new GatewayError(left ? GatewayErrorKind.ClientAborted : GatewayErrorKind.BadRequestBody, Cause: e));
        }
        catch (Exception e)
        {
            Fail(new GatewayError(GatewayErrorKind.Internal, Cause: e));
        }
    }

    /// <summary>Appends a piece to the connection's output.</summary>
    /// <returns>True when the body has reached its end.</returns>
    private bool Take(PipeReader reader, in ReadResult result)
    {
        foreach (var piece in result.Buffer)
        {
            connection.AddBody(piece.Span);
            exchange.RequestBytes += piece.Length;
        }

        reader.AdvanceTo(result.Buffer.End);
        if (result.IsCanceled)
            throw new OperationCanceledException();
        if (result.IsCompleted)
            connection.EndBody(Trailers.OfRequest(exchange));
        return result.IsCompleted;
    }

    private async ValueTask<bool> MayGoAheadAsync(Task goAhead)
    {
        _ = await connection.FlushAsync().ConfigureAwait(false);
        await Task.WhenAny(goAhead, Task.Delay(PatienceForContinue, time)).ConfigureAwait(false);
        return !_hasFinalHead;
    }

    private void Sent()
    {
        deadline.BodySent();
        if (!_hasFinalHead)
            connection.Limit(deadline.Left);
    }

    private void Fail(GatewayError error)
    {
        Error = error;
        connection.Abort(Http1Failure.Aborted);
    }
}
