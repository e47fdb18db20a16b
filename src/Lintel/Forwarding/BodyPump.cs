using System.IO.Pipelines;
using Lintel.Errors;
using Lintel.Pipeline;
using Lintel.Services;
using Lintel.Transport.Http1;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Lintel.Forwarding;

/// <summary>
/// Sends a request's body to an instance while its answer may come already. Never throws: what went wrong is told to who reads the answer.
/// </summary>
internal sealed class BodyPump(Exchange exchange, Service service, Http1Connection connection, Deadline deadline, TimeProvider time)
{
    /// <summary>
    /// A server that does not know 100 (Continue) says nothing: RFC 9110 section 10.1.1 has the client go on after a while;
    /// SocketsHttpHandler's is 1 s.
    /// </summary>
    private static readonly TimeSpan PatienceForContinue = TimeSpan.FromSeconds(1);

    private readonly TaskCompletionSource? _goAhead = exchange.ExpectsContinue
        ? new(TaskCreationOptions.RunContinuationsAsynchronously)
        : null;
    private Task _pumping = Task.CompletedTask;
    private volatile bool _hasFinalHead;
    private volatile bool _isReading;

    /// <summary>Whether it begins only when the service asks for the body, or says nothing for a while.</summary>
    public bool Waits => _goAhead is not null;

    /// <summary>Whether it has sent everything, or given up.</summary>
    public bool IsOver => _pumping.IsCompleted;

    /// <summary>What was wrong with the client's body; then the exchange was cut off.</summary>
    public GatewayError? Error { get; private set; }

    /// <summary>Begins, with the request's head waiting in the connection.</summary>
    public void Start() => _pumping = PumpAsync();

    /// <summary>The service wants the body.</summary>
    public void GoAhead() => _goAhead?.TrySetResult();

    /// <summary>The final head is there: a body that was waiting for leave has none any more.</summary>
    public void HeadCame()
    {
        _hasFinalHead = true;
        GoAhead();
    }

    /// <summary>The answer is over before the request is: what is left of the request is not wanted.</summary>
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
                // Here and not in a method of its own: a client that is cut off, and hundreds may be at once, throws once less.
                _isReading = true;
                var reading = reader.ReadAsync();
                if (!reading.IsCompleted)
                    // the head need not wait for the body; a small body goes with it
                    _ = await connection.FlushAsync().ConfigureAwait(false);
                var result = await reading.ConfigureAwait(false);
                _isReading = false;
                isWhole = Take(reader, result);
                if (!isWhole)
                    connection.Limit(service.IdleTimeout);
                isTaken = await connection.FlushAsync().ConfigureAwait(false);
            } while (!isWhole && isTaken);

            Sent(); // or the server takes no more: its answer may be there
        }
        catch (Http1Exception e)
        {
            Fail(new GatewayError(GatewayErrorKind.BadRequestBody, Cause: e)); // a trailer that cannot stand on its line
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

    /// <summary>Adds a piece to what the connection sends.</summary>
    /// <returns>True when the body is at its end.</returns>
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
            connection.EndBody(Trailers.OfRequest(exchange.Request));
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
