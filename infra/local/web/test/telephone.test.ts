// The page before and beside a session: the check of the sound, the keyboard, a telephone's screen, and a telephone in the network.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { BrowserContext, Page } from 'playwright-core';
import type { Config } from '../src/api.ts';
import { accessible, violations } from './axe.ts';
import { chromiumThatHears, closeAll, open, PAGE, SCREENSHOTS, speak, telephone } from './live.ts';

let context: BrowserContext;
before(async () => {
  context = await chromiumThatHears('short.wav', 12);
});
after(closeAll);

test('a telephone in the network reads along by the link that is shared, and can do nothing else there', async (t) => {
  const speaker = await open(t, '/', context);
  const { share } = (await (await speaker.request.get(`${PAGE}/api/config`)).json()) as Config;
  assert.ok(share, 'run this with `local-stack run --web --web-bind 127.0.0.2`, an address that stands for the network');
  await speaker.check('#from-microphone');
  const session = await speak(speaker);
  await speaker.click('#share-open');
  const link = await speaker.getAttribute('#share-what a', 'href');
  assert.equal(link, `${share}?session=${session}`);
  await speaker.locator('#share .qr path').waitFor();
  await accessible(speaker, 'the link that is shared');
  await shared(speaker);
  await speaker.keyboard.press('Escape');
  assert.equal(await speaker.evaluate(() => document.activeElement?.id), 'share-open');

  const phone = await telephone(context.browser());
  await phone.goto(link);
  await phone.waitForSelector('li.final[lang="es"]');
  const elsewhere = new URL(share).origin;
  for (const path of ['/main.js', '/index.html', '/samples/short.wav', '/api/config', '/api/faults', '/api/operator/list', `/api/sessions/${session}/speaker`, '/listen/..%2fmain.js']) {
    assert.equal((await phone.request.get(elsewhere + path)).status(), 404, path);
  }
  for (const path of ['/api/sessions', '/api/faults/cut-transcribe', `/api/operator/${session}/stop`]) {
    assert.equal((await phone.request.post(elsewhere + path, { data: { session } })).status(), 404, path);
  }
  assert.equal((await phone.request.get(share, { headers: { host: 'example.org' } })).status(), 403, 'under its own address only');
  t.diagnostic(`the telephone read: ${await phone.textContent('li.final[lang="es"] span')}`);

  await phone.context().setOffline(true);
  await phone.evaluate(() => dispatchEvent(new Event('online')));
  await phone.getByText('The connection is lost.').waitFor();
  await phone.context().setOffline(false);
  await phone.waitForFunction(() => document.body.dataset['link'] === 'joined');
  await phone.getByText(/You missed (nothing|\d+ sentences?)\./).waitFor();
  t.diagnostic(`after a time without a network it says: ${await phone.textContent('#state')}`);
  await speaker.click('#end');
  await phone.getByText('The session has ended.').waitFor();
  await Promise.all([speaker, phone].map((tab) => tab.close()));
});

test('the sound is checked before a session, of a microphone and of a recording', async (t) => {
  const page = await open(t, '/', await chromiumThatHears('short.wav', 0));
  assert.equal(await page.getAttribute('#level', 'aria-valuenow'), '-60', 'nothing listens before it is asked');
  for (const from of ['#from-microphone', '#from-file']) {
    await page.check(from);
    await page.press('#check', 'Enter');
    await page.getByText('Good: loud enough').waitFor();
    assert.ok(Number(await page.getAttribute('#level', 'aria-valuenow')) >= -60);
    await accessible(page, `the check of the sound, ${from}`);
    await page.press('#check', 'Enter');
    assert.equal(await page.textContent('#level-says'), '');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'check', 'the focus stays where it was');
  }
  assert.equal(await page.textContent('#session'), 'none yet');
  await page.close();
  const silent = await open(t, '/', await chromiumThatHears('short.wav', 60));
  await silent.check('#from-microphone');
  await silent.click('#check');
  await silent.getByText('Nothing is heard.').waitFor();
  await silent.close();
});

test('the page is used by keyboard, fits a telephone, and sets no trap', async (t) => {
  const page = await open(t, '/', context);
  await accessible(page, 'the main page before a session');
  await page.focus('#from-file');
  await page.keyboard.press('ArrowLeft');
  assert.ok(await page.isChecked('#from-microphone'));
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 800 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(over, 0, `nothing sticks out at ${width} px`);
  }
  for (const part of ['Listeners', 'Voice', 'Operator', 'Speaker']) {
    await page.getByRole('button', { name: part, exact: true }).click();
    assert.equal(await page.locator('main > section:visible').count(), 1, 'one part at a time');
    const high = await page.evaluate(() => document.documentElement.scrollHeight);
    assert.ok(high < 1_200, `${part} is ${high} px high on a telephone`);
    assert.deepEqual(await violations(page), [], `${part} on a telephone`);
  }
  const unnamed = await page.evaluate(() => [...document.querySelectorAll('button, select, input')].filter((control) =>
    (control.textContent ?? '').trim() === '' && control.getAttribute('aria-label') === null && control.closest('label') === null).length);
  assert.equal(unnamed, 0, 'every control has a name');
  await page.close();
});

/** The dialog with the link. */
async function shared(page: Page): Promise<void> {
  if (SCREENSHOTS !== undefined) await page.locator('#share').screenshot({ path: join(SCREENSHOTS, 'share.png') });
}
