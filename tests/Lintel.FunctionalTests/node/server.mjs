// A service for the tests on Node's own HTTP server and `ws`: prints its port, then serves until it is ended.
import http from 'node:http';
import { WebSocketServer } from 'ws';

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://service');
  if (url.pathname === '/events') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
    response.flushHeaders();
    // The next event comes when a request to /next asks for it: nobody can see an event that was held back.
    let id = 0;
    const send = () => response.write(`id: ${++id}\nevent: tick\ndata: ${id}\n\n`);
    const list = waiting.get(url.search) ?? [];
    waiting.set(url.search, [...list, send]);
    request.on('close', () => { closed++; waiting.delete(url.search); });
  } else if (url.pathname === '/next') {
    (waiting.get(url.search) ?? []).forEach(send => send());
    response.end('sent');
  } else if (url.pathname === '/closed') {
    response.end(String(closed));
  } else if (url.pathname === '/trailers') {
    response.writeHead(200, { Trailer: 'X-Sum' });
    response.write('body');
    response.addTrailers({ 'X-Sum': '42' });
    response.end();
  } else if (url.pathname === '/upload') {
    let bytes = 0;
    request.on('data', piece => { bytes += piece.length; });
    request.on('end', () => response.end(JSON.stringify({ bytes, encoding: request.headers['transfer-encoding'] ?? 'length' })));
  } else if (url.pathname === '/page') {
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
    response.end('<!doctype html><title>page</title><p>hello</p>');
  } else {
    response.writeHead(404).end('nothing here');
  }
});

const waiting = new Map();
let closed = 0;

// A request that expects 100-continue is refused before its body where it says that it is large.
server.on('checkContinue', (request, response) => {
  if (Number(request.headers['content-length']) > 1_000_000) {
    response.writeHead(413, { Connection: 'close' }).end('too large');
    return;
  }
  response.writeContinue();
  server.emit('request', request, response);
});

const sockets = new WebSocketServer({ server, path: '/ws', perMessageDeflate: true, maxPayload: 64 << 20, handleProtocols: protocols => [...protocols][0] ?? false });
sockets.on('connection', socket => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on('ping', () => socket.send('pinged'));
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
