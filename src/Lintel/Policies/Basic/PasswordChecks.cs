using System.Security.Cryptography;
using Lintel.Transport.Loop;

namespace Lintel.Policies.Basic;

/// <summary>
/// Checks passwords, each of which takes about 0.1 s of a core by design: a few at a time on threads of low priority, while the others
/// wait for a bounded time.
/// </summary>
/// <remarks>Thread rule: any number of callers. Who guesses passwords delays other first log-ins, and neither requests nor loops.</remarks>
/// <param name="time">The clock.</param>
/// <param name="atATime">The number of checks at a time.</param>
internal sealed class PasswordChecks(TimeProvider time, int atATime) : IDisposable
{
    /// <summary>How long a correct password is remembered. A removed user or changed password counts at once.</summary>
    public static readonly TimeSpan Memory = TimeSpan.FromMinutes(5);

    /// <summary>How long a check waits for its turn.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>More than can be checked in that time on a machine with 16 cores.</summary>
    public const int MaxWaiting = 256;

    private readonly SemaphoreSlim _turns = new(atATime);
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(SHA256.HashSizeInBytes);
    private int _waiting;

    /// <summary>Checks for a turn now.</summary>
    internal int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Whether it is the user's password; <see langword="null"/> if too many others are being checked.</summary>
    public async ValueTask<bool?> CheckAsync(BasicUser user, byte[] password, CancellationToken cancellationToken)
    {
        var mac = HMACSHA256.HashData(_key, password);
        if (IsRemembered(user, mac))
            return true;
        if (!await EnterAsync(cancellationToken).ConfigureAwait(false))
            return null;
        try
        {
            if (IsRemembered(user, mac)) // by another request of the same user, such as those that a page begins with
                return true;
            var isRight = await BackgroundThread
                .RunAsync("lintel-password", () => user.Password.Matches(password), allocates: false)
                .ConfigureAwait(false);
            if (!isRight || user.Identity is null)
                return false;
            user.Last = new BasicUser.Remembered(mac, time.GetTimestamp());
            return true;
        }
        finally
        {
            _turns.Release();
        }
    }

    public void Dispose() => _turns.Dispose();

    private bool IsRemembered(BasicUser user, byte[] mac) =>
        user.Last is { } last && time.GetElapsedTime(last.Timestamp) < Memory && CryptographicOperations.FixedTimeEquals(last.Mac, mac);

    /// <summary>Waits for a turn; false if there is none in time, or too many wait.</summary>
    private async ValueTask<bool> EnterAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Increment(ref _waiting) > MaxWaiting)
        {
            Interlocked.Decrement(ref _waiting);
            return false;
        }

        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await _turns.WaitAsync(either.Token).ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }
}
