using Lintel.Config;
using Lintel.Services;
using Lintel.Services.Connections;

namespace Lintel.Tests.Services;

public sealed class InstanceTests
{
    [Theory]
    [InlineData("http://127.0.0.1:5101", "127.0.0.1", 5101, "127.0.0.1:5101", "http://127.0.0.1:5101", "")]
    [InlineData("http://users/base/", "users", 80, "users", "http://users:80", "/base")]
    [InlineData("https://[::1]:8443", "::1", 8443, "[::1]:8443", "http://[::1]:8443", "")]
    [InlineData("http://bücher.example:81", "xn--bcher-kva.example", 81, "xn--bcher-kva.example:81", "http://xn--bcher-kva.example:81", "")]
    public void Address_OfAnInstance_IsTakenApart(string address, string host, int port, string authority, string prefix, string basePath)
    {
        var instance = new Instance(new InstanceConfig { Address = new Uri(address) });
        Assert.Equal(
            (host, port, authority, prefix, basePath),
            (instance.Host, instance.Port, instance.Authority, instance.Prefix, instance.BasePath)
        );
        Assert.Equal(host, instance.ConnectHost);
    }

    [Theory]
    [InlineData("/run/users.sock")]
    [InlineData("/s")]
    [InlineData("/a-very-long-path-that-needs-more-than-one-label-of-a-host-name/and-goes-on-as-long-as-linux-lets-it-go.sock")]
    public void Address_OfAUnixSocket_StandsForItsPath(string path)
    {
        var instance = new Instance(new InstanceConfig { Address = new Uri("http://unix:" + path) });
        Assert.Equal(
            (path, 0, "localhost", "", "http://unix:" + path),
            (instance.Host, instance.Port, instance.Authority, instance.BasePath, instance.Name)
        );
        Assert.Equal(path, UnixAddress.ToPath(instance.ConnectHost));
        Assert.Equal(instance.ConnectHost, new Uri(instance.Prefix).Host);
        Assert.All(instance.ConnectHost.Split('.'), label => Assert.InRange(label.Length, 1, 63));
        Assert.Null(UnixAddress.ToPath("users.internal"));
    }
}
