// Opens a page in headless Chromium and prints, as JSON, what its script saw: node browser.mjs CHROMIUM URL
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [executablePath, address] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), 'lintel-chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  const page = await browser.newPage();
  page.on('pageerror', error => console.error(String(error)));
  await page.goto(address + '/app/page');
  console.log(JSON.stringify(await page.evaluate(inPage, address), null, 2));
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}

// Runs in the page.
async function inPage() {
  const seen = {};

  const answer = await fetch('/app/upload', { method: 'POST', body: new Uint8Array(300_000) });
  seen.fetch = { status: answer.status, via: answer.headers.get('x-gateway'), ...(await answer.json()) };

  seen.events = await new Promise((resolve, reject) => {
    const events = [];
    const source = new EventSource('/app/events?page');
    const next = () => fetch('/app/next?page');
    source.onopen = () => { events.push('open'); next(); };
    source.onerror = () => reject(new Error('EventSource failed'));
    source.addEventListener('tick', e => {
      events.push(e.data);
      if (events.length < 4) { next(); return; }
      source.close();
      resolve(events);
    });
  });

  seen.socket = await new Promise((resolve, reject) => {
    const heard = [];
    const socket = new WebSocket(`ws://${location.host}/app/ws`, ['chat.v1']);
    socket.onopen = () => { heard.push(socket.protocol, socket.extensions.split(';')[0]); socket.send('one'); socket.send('two'); };
    socket.onerror = () => reject(new Error('WebSocket failed'));
    socket.onmessage = e => { heard.push(e.data); if (e.data === 'two') socket.close(1000, 'bye'); };
    socket.onclose = e => resolve([...heard, e.code]);
  });

  // gRPC-Web by hand: Ask { text: 'from a page', number: 3 } is two fields, and a frame is a flag, a length and the message.
  const text = new TextEncoder().encode('from a page');
  const message = [0x0a, text.length, ...text, 0x10, 3];
  const frame = new Uint8Array([0, 0, 0, 0, message.length, ...message]);
  const call = async (method, type) => {
    const isText = type.includes('text');
    const response = await fetch('/lintel.probe.Probe/' + method, {
      method: 'POST',
      headers: { 'Content-Type': type, 'X-Grpc-Web': '1' },
      body: isText ? btoa(String.fromCharCode(...frame)) : frame,
    });
    let bytes = new Uint8Array(await response.arrayBuffer());
    if (isText) {
      const pieces = new TextDecoder().decode(bytes).match(/[^=]{4}|[^=]{1,3}=+/g) ?? [];
      bytes = Uint8Array.from(pieces.map(p => atob(p)).join(''), c => c.charCodeAt(0));
    }
    const frames = [];
    for (let at = 0; at < bytes.length;) {
      const length = new DataView(bytes.buffer, at + 1).getUint32(0);
      const body = bytes.slice(at + 5, at + 5 + length);
      frames.push(bytes[at] & 0x80 ? new TextDecoder().decode(body).trim().split('\r\n').sort() : body.length);
      at += 5 + length;
    }
    return { type: response.headers.get('content-type'), header: response.headers.get('grpc-status'), frames };
  };
  seen.unary = await call('Say', 'application/grpc-web+proto');
  seen.stream = await call('Count', 'application/grpc-web-text+proto');
  seen.unknown = await call('Nothing', 'application/grpc-web+proto');
  return seen;
}
