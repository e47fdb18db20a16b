using System.Text.RegularExpressions;

namespace Lintel.Tests.Routing;

/// <summary>The expected result of <c>RouteTable</c>, without a tree: every route is tried, and the best match is returned.</summary>
internal static class NaiveMatcher
{
    /// <summary>
    /// The best route's number, <c>404</c> or <c>405 METHODS</c>; <see langword="null"/> where two routes are equally good.
    /// </summary>
    public static string? Find(string[] routes, string request)
    {
        var words = request.Split(' ');
        var (method, host) = (words[0], words[1]);
        var path = words[2].Split('?')[0];
        var segments = path.Trim('/').Length == 0 ? [] : path.Trim('/').Split('/');
        var hasQuery = words[2].Contains('?', StringComparison.Ordinal);

        var fitting = new List<(Rule Rule, int Number)>();
        for (var i = 0; i < routes.Length; i++)
        {
            var rule = Rule.Parse(routes[i]);
            if (
                rule.FitsHost(host)
                && rule.FitsPath(segments, path)
                && rule.Conditions.All(c => c == "q:a" ? hasQuery : words.Contains(c[2..] + "=1"))
            )
                fitting.Add((rule, i + 1));
        }

        var taking = fitting.Where(f => f.Rule.Takes(method)).ToList();
        if (taking.Count == 0)
        {
            if (fitting.Count == 0)
                return "404";
            var allowed = fitting.SelectMany(f => f.Rule.Methods).ToHashSet();
            if (allowed.Contains("GET"))
                allowed.Add("HEAD");
            return "405 " + string.Join(',', allowed.Order(StringComparer.Ordinal));
        }

        var ranked = taking.OrderByDescending(f => f.Rule.Rank(method), StringComparer.Ordinal).ToList();
        return ranked.Count > 1 && ranked[0].Rule.Rank(method) == ranked[1].Rule.Rank(method)
            ? null
            : ranked[0].Number.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    private sealed record Rule(string Host, string[] Methods, string[] Segments, string[] Conditions)
    {
        public static Rule Parse(string route)
        {
            var words = route.Split(' ').ToList();
            var path = words.FindIndex(w => w.StartsWith('/'));
            var template = words[path].Trim('/');
            return new Rule(
                path == 2 ? words[0] : "",
                words[path - 1] == "*" ? [] : words[path - 1].Split(','),
                template.Length == 0 ? [] : template.Split('/'),
                [.. words.Skip(path + 1)]
            );
        }

        public bool FitsHost(string host) =>
            Host.Length == 0 || Host == host || (Host[0] == '*' && host.EndsWith(Host[1..], StringComparison.Ordinal));

        public bool FitsPath(string[] segments, string path)
        {
            for (var i = 0; i < Segments.Length; i++)
            {
                if (Segments[i].StartsWith("{**", StringComparison.Ordinal))
                {
                    var rest = string.Join('/', segments.Skip(i)) + (segments.Length > i && path.EndsWith('/') ? "/" : "");
                    return !Segments[i].Contains("minlength", StringComparison.Ordinal) || rest.Length >= 2;
                }

                if (i >= segments.Length || !Fits(Segments[i], segments[i]))
                    return false;
            }

            return Segments.Length == segments.Length;
        }

        public bool Takes(string method) =>
            Methods.Length == 0 || Methods.Contains(method) || (method == "HEAD" && Methods.Contains("GET"));

        /// <summary>
        /// Compares as the precedence does, most significant first: host, each segment from the left, method, conditions.
        /// </summary>
        public string Rank(string method)
        {
            var host =
                Host.Length == 0 ? '0'
                : Host[0] == '*' ? '1'
                : '2';
            var path =
                string.Concat(Segments.Select(s => Weight(s)))
                + (Segments.Length > 0 && Segments[^1].StartsWith("{**", StringComparison.Ordinal) ? "" : "9");
            var named =
                Methods.Length == 0 ? 0
                : method == "HEAD" && Methods.Contains("HEAD") ? 2
                : 1;
            return $"{host} {path.PadRight(8, '0')} {named} {Conditions.Count(c => c[0] == 'h')} {Conditions.Count(c => c[0] == 'q')}";
        }

        private static char Weight(string segment) =>
            segment switch
            {
                _ when segment.StartsWith("{**", StringComparison.Ordinal) => segment.Contains(':', StringComparison.Ordinal) ? '2' : '1',
                _ when !segment.Contains('{', StringComparison.Ordinal) => '8',
                ['a', ..] => '6',
                [.., 'b'] => '5',
                _ => segment.Contains(':', StringComparison.Ordinal) ? '4' : '3',
            };

        private static bool Fits(string template, string segment) =>
            template switch
            {
                ['{', .., '}'] when template.Contains(":int", StringComparison.Ordinal) => int.TryParse(segment, out _),
                ['{', .., '}'] => true,
                ['a', '{', ..] => Regex.IsMatch(segment, "^[aA].+$"),
                [.., '}', 'b'] => Regex.IsMatch(segment, "^.+b$"),
                _ => string.Equals(template, segment, StringComparison.OrdinalIgnoreCase),
            };
    }
}
