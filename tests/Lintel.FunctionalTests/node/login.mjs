// Logs in and out on the demo's page as a person does and prints, as JSON, what it showed: node login.mjs CHROMIUM URL [FOLDER for screenshots]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [executablePath, address, folder] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), 'lintel-chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  viewport: { width: 1180, height: 900 },
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  const page = await browser.newPage();
  const seen = {};
  const look = async name => {
    await page.waitForFunction(() => document.body.dataset.account === 'loaded');
    seen[name] = await page.evaluate(() => ({
      account: document.getElementById('account').innerText.replaceAll(/\s+/g, ' ').trim(),
      statuses: [...document.querySelectorAll('#permissions td:last-child')].map(e => Number(e.textContent)),
    }));
    if (folder)
      await page.screenshot({ path: join(folder, name + '.png'), fullPage: true });
  };
  const logIn = async user => {
    await page.click('#account a');
    await page.click(`button[value="${user}"]`);
    await page.waitForURL(address);
  };
  const logOut = async () => {
    await page.evaluate(() => { delete document.body.dataset.account; });
    await page.click('#account a');
    await page.waitForURL(address);
  };

  await page.goto(address);
  await look('nobody');
  await logIn('42');
  await look('customer');
  await logOut();
  await look('again');
  await logIn('7');
  await look('staff');
  console.log(JSON.stringify(seen, null, 2));
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
