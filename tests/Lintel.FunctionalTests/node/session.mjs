// Logs in through the gateway at an OpenID provider as a person does, and prints, as JSON, what was seen:
// node session.mjs CHROMIUM GATEWAY PROVIDER
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [executablePath, gateway, provider] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), 'lintel-chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  const page = await browser.newPage();
  const seen = {};
  await page.goto(gateway + '/app/page?x=1');
  seen.loginAt = new URL(page.url()).origin === provider;
  await logIn(page);
  seen.arrived = page.url().replace(gateway, '');
  const cookies = (await browser.cookies(gateway)).filter(c => c.name.startsWith('lintel-'));
  seen.cookies = cookies.map(c => ({ name: c.name, path: c.path, httpOnly: c.httpOnly, sameSite: c.sameSite, expires: c.expires }));
  seen.scripts = await page.evaluate(() => document.cookie);
  seen.page = await page.evaluate(inPage);

  // Another site (another host, for cookies and for Fetch Metadata) may link here, and nothing else.
  const other = await browser.newPage();
  await other.goto(provider + '/.well-known/openid-configuration');
  seen.foreign = await other.evaluate(onAnotherSite, gateway);
  await other.setContent(`<form method=post action="${gateway}/app/api"><button>go</button></form>`);
  const [posted] = await Promise.all([other.waitForResponse(r => r.url().startsWith(gateway)), other.click('button')]);
  seen.foreignForm = posted.status();
  await other.goto(provider + '/.well-known/openid-configuration');
  await other.setContent(`<a href="${gateway}/app/page?linked">go</a>`);
  await Promise.all([other.waitForURL('**/app/page?linked'), other.click('a')]);
  seen.link = 'followed';
  await other.close();

  // The provider ends the session: its user logs out there.
  await page.goto(provider + '/session/end');
  await page.click('button[name=logout]');
  await page.waitForLoadState();
  await page.goto(gateway + '/bff/logout'); // has no session: leads to the page for that
  seen.afterProviderLogout = page.url().replace(gateway, '');

  // And again, with a logout that begins at the application.
  await page.goto(gateway + '/app/page');
  await logIn(page);
  const url = await page.evaluate(async () => (await (await fetch('/bff/user', { headers: { 'X-CSRF': '1' } })).json()).logoutUrl);
  await page.goto(gateway + url);
  seen.logoutAt = new URL(page.url()).origin === provider;
  await Promise.all([page.waitForURL('**/bye'), page.click('button[name=logout]')]);
  seen.bye = page.url().replace(gateway, '');
  seen.after = await page.evaluate(async () => (await fetch('/app/api', { headers: { 'X-CSRF': '1' } })).status);
  console.log(JSON.stringify(seen, null, 2));
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}

async function logIn(page) {
  await page.fill('input[name=login]', 'kim');
  await page.fill('input[name=password]', 'any');
  await page.click('button[type=submit]');
  await page.waitForLoadState();
  if (page.url().includes('/interaction/')) // consent
    await page.click('button[type=submit]');
  await page.waitForURL('**/app/page*');
}

// Runs in a page of the application.
async function inPage() {
  const user = await (await fetch('/bff/user', { headers: { 'X-CSRF': '1' } })).json();
  const answer = await fetch('/app/api', { method: 'POST' });
  const socket = await new Promise(resolve => {
    const one = new WebSocket(`ws://${location.host}/app/socket`);
    one.onopen = () => one.send('hello');
    one.onmessage = e => resolve(e.data);
    one.onerror = () => resolve('failed');
  });
  return {
    sub: user.claims.sub,
    email: user.claims.email,
    api: { status: answer.status, ...(await answer.json()) },
    socket,
  };
}

// Runs in a page of another site.
async function onAnotherSite(gateway) {
  const answers = {};
  for (const [name, init] of Object.entries({ get: {}, post: { method: 'POST' } })) {
    try {
      answers[name] = (await fetch(gateway + '/app/api', { ...init, mode: 'cors', credentials: 'include' })).status;
    } catch {
      answers[name] = 'refused';
    }
  }
  answers.socket = await new Promise(resolve => {
    const one = new WebSocket(gateway.replace('http', 'ws') + '/app/socket');
    one.onopen = () => resolve('open');
    one.onerror = () => resolve('refused');
  });
  return answers;
}
