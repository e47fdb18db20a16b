using System.Diagnostics;
using System.Globalization;

namespace Lintel.FunctionalTests.Protocols;

/// <summary>Node's server and a gRPC service behind one gateway, which a browser can use as one origin.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class NodeFixture : IAsyncLifetime
{
    private Process _node = null!;
    private GrpcServer _grpc = null!;

    internal LocalProgram Gateway { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Assert.True(
            Directory.Exists(Path.Combine(Command.NodeFolder, "node_modules/ws")),
            "run `npm ci` in tests/Lintel.FunctionalTests/node (test.sh does)"
        );
        _node = Command.Start("node", Path.Combine(Command.NodeFolder, "server.mjs"));
        var port = int.Parse(
            (await _node.StandardOutput.ReadLineAsync().WaitAsync(GatewayProcess.Patience))!,
            CultureInfo.InvariantCulture
        );
        _grpc = await GrpcServer.StartAsync();
        Gateway = await LocalProgram.StartAsync(
            $$"""
            listeners: { public: "http://127.0.0.1:0", h2: { address: "http://127.0.0.1:0", protocols: [http2] } }
            services:
              node: "http://127.0.0.1:{{port}}"
              probe: { instances: ["{{_grpc.Address}}"], protocol: http2 }
            routes:
              node: { match: "/app/{**rest}", forward: "node/{rest}", transform: { response: { setHeaders: { X-Gateway: lintel } } } }
              probe: { match: "/lintel.probe.Probe/{method}", forward: probe }
              ping: { match: /ping, respond: { body: pong } }
            """
        );
    }

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await _grpc.DisposeAsync();
        _node.Kill(entireProcessTree: true);
        await _node.WaitForExitAsync();
        _node.Dispose();
    }
}
