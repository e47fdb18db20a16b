namespace Lintel.Samples.Shop.Users;

/// <summary>The users that a service starts with: the same ones each time.</summary>
internal static class UserSeed
{
    private static readonly string[] Domains = ["example.com", "example.net", "example.org"];

    private static readonly (string Name, string Mailbox, string City)[] People =
    [
        ("Ada Byrne", "ada.byrne", "Dublin"),
        ("이준호", "junho.lee", "Seoul"),
        ("María Fernández", "maria.fernandez", "Madrid"),
        ("Olumide Adeyemi", "olumide.adeyemi", "Lagos"),
        ("Zoë van Dijk", "zoe.vandijk", "Amsterdam"),
        ("佐藤 花子", "hanako.sato", "Tokyo"),
        ("박지민", "jimin.park", "Busan"),
        ("Łukasz Wójcik", "lukasz.wojcik", "Kraków"),
        ("Ananya Iyer", "ananya.iyer", "Chennai"),
        ("Mehmet Yılmaz", "mehmet.yilmaz", "Istanbul"),
        ("Chloé Lefèvre", "chloe.lefevre", "Lyon"),
        ("王小明", "xiaoming.wang", "Shanghai"),
        ("Sofia Bergström", "sofia.bergstrom", "Stockholm"),
        ("최민서", "minseo.choi", "Seoul"),
        ("Thiago Gonçalves", "thiago.goncalves", "São Paulo"),
        ("Fatima Zahra El Amrani", "fatima.elamrani", "Casablanca"),
        ("Jürgen Groß", "juergen.gross", "Köln"),
        ("Nguyễn Thị Mai", "mai.nguyen", "Hanoi"),
        ("Siobhán O'Connor", "siobhan.oconnor", "Dublin"),
        ("Дмитро Шевченко", "dmytro.shevchenko", "Kyiv"),
        ("정하은", "haeun.jung", "Incheon"),
        ("Kwame Mensah", "kwame.mensah", "Accra"),
        ("Eleni Papadopoulou", "eleni.papadopoulou", "Athens"),
        ("Arjun Mehta", "arjun.mehta", "Mumbai"),
        ("יעל כהן", "yael.cohen", "Haifa"),
        ("Guðrún Jónsdóttir", "gudrun.jonsdottir", "Reykjavík"),
        ("田中 健一", "kenichi.tanaka", "Osaka"),
        ("Lucía Quispe", "lucia.quispe", "Lima"),
        ("강도윤", "doyun.kang", "Seoul"),
        ("Amelia Whitford", "amelia.whitford", "London"),
        ("Tomáš Dvořák", "tomas.dvorak", "Praha"),
        ("ليلى حداد", "layla.haddad", "Amman"),
        ("Aroha Ngata", "aroha.ngata", "Wellington"),
        ("Somchai Suksawat", "somchai.suksawat", "Bangkok"),
        ("Bjørn Ødegård", "bjorn.odegard", "Oslo"),
        ("윤서진", "seojin.yoon", "Busan"),
        ("Giulia D'Angelo", "giulia.dangelo", "Torino"),
        ("Ngozi Okafor", "ngozi.okafor", "Lagos"),
        ("Mikael Väisänen", "mikael.vaisanen", "Helsinki"),
        ("陳怡君", "yichun.chen", "Taipei"),
        ("Camila Rojas", "camila.rojas", "Santiago"),
        ("김서연", "seoyeon.kim", "Seoul"),
        ("Hamza Siddiqui", "hamza.siddiqui", "Karachi"),
        ("Ioana Țurcanu", "ioana.turcanu", "Cluj-Napoca"),
        ("한지우", "jiwoo.han", "Daejeon"),
        ("Wanjiru Kamau", "wanjiru.kamau", "Nairobi"),
        ("Émile Tremblay", "emile.tremblay", "Montréal"),
        ("Putri Lestari", "putri.lestari", "Jakarta"),
        ("Noah Goldstein", "noah.goldstein", "New York"),
        ("임채원", "chaewon.lim", "Seoul"),
    ];

    public static IReadOnlyList<Segment> Segments { get; } =
    [
        new("new", "New customer", 5, ["welcome gift"]),
        new("regular", "Regular customer", 0, []),
        new("gold", "Gold customer", 10, ["free shipping", "early access"]),
        new("business", "Business customer", 15, ["invoice", "account manager"]),
    ];

    /// <summary>The users 1 to 50, in the order of their ids.</summary>
    public static List<User> Make()
    {
        var random = new Random(Seed: 50);
        var users = new List<User>(People.Length);
        var firstDay = new DateOnly(2018, 1, 1);
        foreach (var (name, mailbox, city) in People)
        {
            var mail = $"{mailbox}@{Domains[random.Next(Domains.Length)]}";
            var memberSince = firstDay.AddDays(random.Next(8 * 365));
            var segment = memberSince.Year >= 2025 ? Segments[0] : Segments[random.Next(1, Segments.Count)];
            users.Add(new User(users.Count + 1, name, mail, city, segment.Id, memberSince));
        }

        return users;
    }
}
