namespace Lintel.Samples.Shop.Users;

/// <summary>Somebody who buys.</summary>
internal sealed record User(int Id, string Name, string Email, string? City, string SegmentId, DateOnly MemberSince);

/// <summary>What a caller sends to become a user.</summary>
internal sealed record NewUser(string? Name, string? Email, string? City, string? SegmentId);

/// <summary>One page of users, of <c>Total</c> users that match.</summary>
internal sealed record UserPage(int Page, int Size, int Total, IReadOnlyList<User> Items);

/// <summary>A kind of customer, and what it is granted.</summary>
internal sealed record Segment(string Id, string Name, int DiscountPercent, IReadOnlyList<string> Perks);

/// <summary>How an attempt to add a user ended.</summary>
internal enum UserAdded
{
    Added,
    EmailTaken,
    Full,
}

/// <summary>The users, in memory. Any thread may use it: one lock guards both collections.</summary>
internal sealed class UserStore
{
    /// <summary>A bound for load tests that add users without end.</summary>
    private const int Capacity = 10_000;

    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly List<User> _users; // The user with id n stands at n - 1: nobody is ever removed.
    private readonly HashSet<string> _emails;

    public UserStore(TimeProvider time)
    {
        _time = time;
        _users = UserSeed.Make();
        _emails = new HashSet<string>(_users.Select(user => user.Email), StringComparer.OrdinalIgnoreCase);
    }

    public User? Find(int id)
    {
        lock (_lock)
            return id >= 1 && id <= _users.Count ? _users[id - 1] : null;
    }

    public UserPage List(string? city, int page, int size)
    {
        List<User> matching;
        lock (_lock)
        {
            matching = city is null
                ? [.. _users]
                : _users.FindAll(user => string.Equals(user.City, city, StringComparison.OrdinalIgnoreCase));
        }

        return new UserPage(page, size, matching.Count, [.. matching.Skip((page - 1) * size).Take(size)]);
    }

    /// <summary>Adds a user whose fields have been checked.</summary>
    public UserAdded Add(NewUser wanted, out User? user)
    {
        user = null;
        lock (_lock)
        {
            if (_users.Count >= Capacity)
                return UserAdded.Full;
            if (!_emails.Add(wanted.Email!))
                return UserAdded.EmailTaken;
            user = new User(
                _users.Count + 1,
                wanted.Name!.Trim(),
                wanted.Email!,
                wanted.City?.Trim(),
                wanted.SegmentId ?? "new",
                DateOnly.FromDateTime(_time.GetUtcNow().UtcDateTime)
            );
            _users.Add(user);
            return UserAdded.Added;
        }
    }
}
