using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Lintel.TestKit;

/// <summary>Debian's nginx with static files: a server that nobody here wrote.</summary>
public sealed class NginxServer : IAsyncDisposable
{
    private readonly Process _process;
    private readonly ConfigFolder _folder;

    private NginxServer(Process process, ConfigFolder folder, int port)
    {
        _process = process;
        _folder = folder;
        Address = $"http://127.0.0.1:{port}";
    }

    public string Address { get; }

    /// <summary>Where the served files are.</summary>
    public string Root => _folder["html"];

    public static async Task<NginxServer> StartAsync()
    {
        for (var attempt = 0; ; attempt++)
        {
            var folder = new ConfigFolder();
            Directory.CreateDirectory(folder["html"]);
            var port = FreePort();
            folder.Write("nginx.conf", $$"""
                daemon off; master_process off; pid nginx.pid; error_log stderr warn;
                events { worker_connections 256; }
                http {
                  access_log off; gzip on; gzip_min_length 10; gzip_types text/plain; sendfile on; default_type text/plain;
                  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                  server { listen 127.0.0.1:{{port}}; root html; }
                }
                """);
            var process = Process.Start("/usr/sbin/nginx", ["-e", "stderr", "-p", folder.Path, "-c", folder["nginx.conf"]]);
            var server = new NginxServer(process, folder, port);
            await Until.TrueAsync(async () => process.HasExited || await AnswersAsync(port), "nginx answers");
            if (!process.HasExited)
                return server;
            await server.DisposeAsync();
            if (attempt == 5)
                throw new InvalidOperationException("nginx does not start");
        }
    }

    /// <summary>A port that was free a moment ago.</summary>
    public static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _folder.Dispose();
    }

    private static async Task<bool> AnswersAsync(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
