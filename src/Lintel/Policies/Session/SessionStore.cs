using System.Buffers.Binary;
using System.Buffers.Text;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Lintel.State;

namespace Lintel.Policies.Session;

/// <summary>
/// The sessions of a policy in the gateway's store, by the hash of the cookie's value: who reads the store cannot use them.
/// </summary>
/// <remarks>Thread rule: any number of callers; the store synchronizes.</remarks>
internal sealed class SessionStore(ExpiringStore store, SessionConfig config, string cookie, TimeProvider time)
{
    /// <summary>256 random bits, in the letters of base64url.</summary>
    public const int IdLength = 43;

    private const int HashLength = IdLength;

    /// <summary>Sessions of another issuer or client are other sessions: a reload that changes them logs everybody out.</summary>
    private readonly string _scope = "session:" + Hash($"{config.Issuer}\n{config.ClientId}\n{cookie}")[..16] + ":";

    /// <summary>The parsed form of values that are in memory anyway.</summary>
    private readonly ConditionalWeakTable<byte[], UserSession> _parsed = [];

    /// <summary>Creates the value of a new cookie.</summary>
    public static string NewId() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    /// <summary>The key of a cookie's value; <see langword="null"/> if no session can have it.</summary>
    public string? KeyOf(string id)
    {
        if (id.Length != IdLength)
            return null;
        Span<byte> bytes = stackalloc byte[IdLength];
        if (Ascii.FromUtf16(id, bytes, out _) != System.Buffers.OperationStatus.Done)
            return null;
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes, hash);
        Span<char> text = stackalloc char[HashLength];
        Base64Url.EncodeToChars(hash, text);
        return string.Concat(_scope, text);
    }

    /// <summary>Returns a session that has not ended.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="isUse">Whether this is a use of the session, which begins its idle time anew.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async ValueTask<UserSession?> FindAsync(string key, bool isUse, CancellationToken cancellationToken)
    {
        var bytes = await store.FindAsync(key, isUse ? config.Idle : null, cancellationToken).ConfigureAwait(false);
        if (bytes is null)
            return null;
        if (!_parsed.TryGetValue(bytes, out var session))
            _parsed.AddOrUpdate(bytes, session = UserSession.Read(bytes));
        if (session.Ends > time.GetUtcNow() && !await IsRevokedAsync(session, cancellationToken).ConfigureAwait(false))
            return session;
        await store.RemoveAsync(key, cancellationToken).ConfigureAwait(false);
        return null;
    }

    public ValueTask<bool> AddAsync(string key, UserSession session, CancellationToken cancellationToken) =>
        store.TryAddAsync(key, session.Write(), config.Idle, cancellationToken);

    /// <summary>Replaces a session that has not been removed meanwhile.</summary>
    public ValueTask<bool> ReplaceAsync(string key, UserSession session, CancellationToken cancellationToken) =>
        store.TryReplaceAsync(key, session.Write(), config.Idle, cancellationToken);

    public ValueTask<bool> RemoveAsync(string key, CancellationToken cancellationToken) => store.RemoveAsync(key, cancellationToken);

    /// <summary>Ends all sessions that have begun until now and have a claim of this value, on every node that shares the store.</summary>
    /// <remarks>
    /// A mark is stored in place of a list of sessions: a login that completes at the same moment cannot be missed. The store drops older
    /// values first, so that the sessions leave before it.
    /// </remarks>
    public ValueTask RevokeAsync(string claim, string value, CancellationToken cancellationToken)
    {
        var now = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(now, time.GetUtcNow().ToUnixTimeMilliseconds());
        return store.SetAsync(MarkOf(claim, value), now, config.Lifetime, cancellationToken);
    }

    /// <summary>Remembers the identifier of a logout token.</summary>
    /// <returns>Whether it is new.</returns>
    public ValueTask<bool> TakeOnceAsync(string id, TimeSpan lifetime, CancellationToken cancellationToken) =>
        store.TryAddAsync(MarkOf("jti", id), [], lifetime, cancellationToken);

    private async ValueTask<bool> IsRevokedAsync(UserSession session, CancellationToken cancellationToken)
    {
        var marks = session.Marks ??= new SessionMarks(
            session.Identity.Subject is { } subject ? MarkOf("sub", subject) : null,
            session.ProviderSession is { } sid ? MarkOf("sid", sid) : null
        );
        return await IsOlderAsync(marks.Subject).ConfigureAwait(false) || await IsOlderAsync(marks.Session).ConfigureAwait(false);

        async ValueTask<bool> IsOlderAsync(string? mark) =>
            mark is not null
            && await store.FindAsync(mark, null, cancellationToken).ConfigureAwait(false) is { } at
            && session.Begun.ToUnixTimeMilliseconds() <= BinaryPrimitives.ReadInt64LittleEndian(at);
    }

    private string MarkOf(string kind, string value) => _scope + kind + ":" + Hash(value);

    private static string Hash(string text) => Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
