// Uses the demo's page as a person does and prints, as JSON, what it showed: node shop.mjs CHROMIUM URL [FOLDER for screenshots]
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
  const errors = [];
  page.on('pageerror', error => errors.push(String(error)));
  const seen = {};
  const look = async name => {
    await page.waitForFunction(() => document.body.dataset.state === 'loaded');
    seen[name] = await page.evaluate(inPage);
    if (folder)
      await page.screenshot({ path: join(folder, name + '.png'), fullPage: true });
  };

  await page.goto(address);
  await look('well');
  await page.click('[data-to=slow]');
  await look('slow');
  await page.click('[data-to=failing]');
  await look('failing');
  await page.fill('#user', '7');
  await page.evaluate(() => { document.body.dataset.state = 'asked'; });
  await page.click('button.main');
  await look('partial');
  await page.fill('#user', '777');
  await page.evaluate(() => { document.body.dataset.state = 'asked'; });
  await page.click('button.main');
  await look('nobody');
  await page.fill('#user', '42');
  await page.click('[data-to=well]');
  await look('again');
  await page.click('[data-to=ios]');
  await look('phone');
  console.log(JSON.stringify({ ...seen, errors }, null, 2));
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}

// Runs in the page.
function inPage() {
  const texts = selector => [...document.querySelectorAll(selector)].map(e => e.textContent);
  const milliseconds = texts('header .ms').map(t => Number(t.match(/\d+/)[0]));
  return {
    who: texts('.who').join(),
    times: milliseconds,
    orders: texts('.order').length,
    goods: texts('.goods span'),
    pictures: [...document.querySelectorAll('.goods img')].length,
    notes: texts('.note'),
    calls: texts('#calls tr').map(t => t.trim()),
    states: [...document.querySelectorAll('#calls td:nth-child(2)')].map(e => e.className),
    head: document.getElementById('head').innerText,
    document: JSON.parse(document.getElementById('document').textContent || 'null'),
  };
}
