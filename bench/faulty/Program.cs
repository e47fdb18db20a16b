using System.Globalization;
using System.Net;
using Lintel.Bench.Faulty;

// FaultyService instance ADDRESS HTTP_PORT GRPC_PORT CONTROL_PORT: an instance of a service; what it does wrong is told to the control port.
// FaultyService deaf ADDRESS PORT…: listens with a queue for one connection, which is taken, and accepts nothing.
// FaultyService path DEVICE DEVICE DELAY_MS LOSS_PERCENT: passes packets between two TUN devices, which it makes; some late, some never.
// FaultyService consul PORT_FILE CONTROL_PORT: Consul's answers for the service `orders`; its instances are told to the control port.
return args switch
{
    ["instance", var address, var http, var grpc, var control] => await Instance.RunAsync(
        IPAddress.Parse(address),
        Number(http),
        Number(grpc),
        Number(control)
    ),
    ["deaf", var address, .. var ports] when ports.Length > 0 => await DeafListeners.RunAsync([
        .. ports.Select(p => new IPEndPoint(IPAddress.Parse(address), Number(p))),
    ]),
    ["path", var here, var there, var delay, var loss] => await LossyPath.RunAsync(
        here,
        there,
        TimeSpan.FromMilliseconds(Number(delay)),
        Number(loss) / 100d
    ),
    ["consul", var file, var control] => await Consul.RunAsync(file, Number(control)),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine(
        "usage: FaultyService instance ADDRESS HTTP_PORT GRPC_PORT CONTROL_PORT | deaf ADDRESS PORT… | path DEVICE DEVICE DELAY_MS LOSS_PERCENT | consul PORT_FILE CONTROL_PORT"
    );
    return 2;
}

static int Number(string text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
