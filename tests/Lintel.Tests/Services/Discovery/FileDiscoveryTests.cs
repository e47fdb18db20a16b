using Lintel.Config;
using Lintel.Services;
using Lintel.TestKit;

namespace Lintel.Tests.Services.Discovery;

public sealed class FileDiscoveryTests : IDisposable
{
    private readonly ConfigFolder _folder = new();
    private readonly DiscoveredServices _services = new();

    public void Dispose()
    {
        _services.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("orders.yaml", "- http://10.0.0.1:8080\n- { address: http://10.0.0.2:8080, weight: 3 }\n- http://10.0.0.1:8080\n")]
    [InlineData("orders.json", """["http://10.0.0.1:8080", { "address": "http://10.0.0.2:8080", "weight": 3 }]""")]
    public async Task File_WithAList_GivesTheInstances(string name, string text)
    {
        _folder.Write(name, text);
        var service = _services.Start(new DiscoverConfig { File = _folder[name] });
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1:8080 http://10.0.0.2:8080");
        Assert.Equal([1, 3], service.Discovery!.Current.Select(i => i.Weight));
    }

    [Fact]
    public async Task File_ThatIsReplacedOrRewritten_ChangesTheInstances()
    {
        var service = Start("- http://10.0.0.1:8080\n");
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1:8080");
        _folder.Write("new.yaml", "- http://10.0.0.2:8080\n");
        File.Move(_folder["new.yaml"], _folder["orders.yaml"], overwrite: true);
        await _services.AdvanceAsync(() => DiscoveredServices.Names(service) == "http://10.0.0.2:8080");
        _folder.Write("orders.yaml", "- http://10.0.0.3:8080\n");
        await _services.AdvanceAsync(() => DiscoveredServices.Names(service) == "http://10.0.0.3:8080");
        _services.Time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(TimeSpan.Zero, service.Discovery!.Status.Age); // it is watched
    }

    [Theory]
    [InlineData("", "the answer has no instances")]
    [InlineData("[]", "the answer has no instances")]
    [InlineData("- http://10.0.0.1:8080\n- http://", "orders.yaml:2:3: bad-value at [1]")]
    [InlineData("- { address: http://10.0.0.1:8080, weigth: 3 }", "unknown key `weigth`")]
    [InlineData("instances: [http://10.0.0.1:8080]", "a list is expected")]
    [InlineData("- [", "syntax")]
    [InlineData("- https://10.0.0.1:8080\n", "is not at `http`, as `discover.scheme` says")]
    [InlineData("- &a [*a]", "orders.yaml:1")]
    public async Task File_ThatIsNotValid_KeepsTheLastInstances(string text, string reason)
    {
        var service = Start("- http://10.0.0.9:8080\n");
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.9:8080");
        _folder.Write("orders.yaml", text);
        await _services.AdvanceAsync(() => service.Discovery!.Status.Error is not null);
        Assert.Contains(reason, service.Discovery!.Status.Error, StringComparison.Ordinal);
        Assert.Equal("http://10.0.0.9:8080", DiscoveredServices.Names(service));
        _folder.Write("orders.yaml", "- http://10.0.0.8:8080\n");
        await _services.AdvanceAsync(() => DiscoveredServices.Names(service) == "http://10.0.0.8:8080");
    }

    [Fact]
    public async Task File_ThatComesLaterAndGoes_IsTakenWhenItIsThere()
    {
        var service = _services.Start(new DiscoverConfig { File = _folder["orders.yaml"] });
        await Until.TrueAsync(() => service.Discovery!.Status.Error == "the file does not exist");
        _folder.Write("orders.yaml", "- http://10.0.0.1:8080\n");
        await _services.AdvanceAsync(() => DiscoveredServices.Names(service) == "http://10.0.0.1:8080");
        File.Delete(_folder["orders.yaml"]);
        await _services.AdvanceAsync(() => service.Discovery!.Status.Error == "the file does not exist");
        Assert.Single(service.Instances.All);
    }

    [Fact]
    public async Task File_OfAGigabyte_IsNotRead()
    {
        using (var large = File.Create(_folder["orders.yaml"]))
            large.SetLength(1L << 30); // sparse
        var service = _services.Start(new DiscoverConfig { File = _folder["orders.yaml"] });
        await Until.TrueAsync(() => service.Discovery!.Status.Error == "the file is larger than 16 MiB");
    }

    [Fact]
    public async Task File_ThatIsNotText_KeepsTheLastInstances()
    {
        var service = Start("- http://10.0.0.1:8080\n");
        await DiscoveredServices.SeesAsync(service, "http://10.0.0.1:8080");
        await File.WriteAllBytesAsync(_folder["orders.yaml"], [0xff, 0xfe, 0x00, 0x80]);
        await _services.AdvanceAsync(() => service.Discovery!.Status.Error == "the file is not UTF-8 text");
        Assert.Single(service.Instances.All);
    }

    private Service Start(string text) => _services.Start(new DiscoverConfig { File = _folder.Write("orders.yaml", text) });
}
