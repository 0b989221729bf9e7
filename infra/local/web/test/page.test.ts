// The page in a real Chromium, against the real worker and controller: run by scripts/test within `local-stack run --web`.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import type { BrowserContext, Page } from 'playwright-core';
import { accessible } from './axe.ts';
import { chromiumThatHears, closeAll, fact, known, listening, open, over, pair, PATIENCE, press, relay, SCREENSHOTS, speak, until } from './live.ts';

let context: BrowserContext;
before(async () => {
  // The silence is for the worker's start.
  context = await chromiumThatHears('welcome.wav', 4);
});
after(closeAll);

test('two tabs read what a microphone heard, are caught up after a reload, and read on after the worker was killed', async (t) => {
  const speaker = await open(t, '/', context);
  await speaker.check('#from-microphone');
  await speaker.check('#judged');
  const begun = Date.now();
  const session = await speak(speaker);
  const [en, es] = [await open(t, listening(session, 'en'), context), await open(t, listening(session, 'es'), context)];
  await en.waitForSelector('li.partial, li.final');
  t.diagnostic(`first caption ${((Date.now() - begun) / 1_000).toFixed(1)} s after the click (4 s of them silence of the recording)`);
  // On a busy machine a sentence may come untranslated, and says so by its language.
  await Promise.all([en.waitForSelector('li.final[lang="en"]'), es.waitForSelector('li.final[lang="es"]')]);
  assert.notEqual(await es.textContent('li.final[lang="es"]'), await en.textContent('li.final'), 'the second tab reads a translation');

  // The product's application: its candidates went to nobody, so the worker knows the speaker only by what its checks found.
  assert.match(await fact(speaker, 'Candidates'), /[1-9]\d* sent to nobody/);
  assert.equal((await pair(speaker, session)).remoteCandidateType, 'prflx');

  await es.reload();
  await es.waitForSelector('li.catch-up[lang="es"]');
  assert.match(await es.title(), /^Español – captions of/);

  await speaker.waitForSelector('#hears[data-heard="heard"]');

  const offers = Number(await fact(speaker, 'Offers answered'));
  const killed = Date.now();
  await press(speaker, 'kill-worker');
  await Promise.all([en, es].map((tab) => tab.waitForSelector('li.final[data-generation="2"]')));
  t.diagnostic(`finals in both tabs ${((Date.now() - killed) / 1_000).toFixed(1)} s after the worker was killed`);
  assert.ok(Number(await fact(speaker, 'Offers answered')) > offers, 'the same page answered the next worker');
  assert.equal(await fact(speaker, 'Media'), 'connected');
  await over(t, speaker, 'kill-worker');
  await once(en);

  await speaker.waitForSelector('#plots [data-plot="Arousal"]');
  assert.ok(await speaker.locator('#said > p').count() > 0, 'a screen reader is told finals');
  for (const [what, tab] of [['the main page in a session', speaker], ['a listener in a session', es]] as const) await accessible(tab, what);

  await screenshots(speaker, es);
  await lags(t, en, 'en');
  await lags(t, es, 'es');
  await speaker.click('#end');
  await Promise.all([en, es].map((tab) => tab.getByText('The session has ended.').waitFor()));
  await Promise.all([speaker, en, es].map((tab) => tab.close()));
});

test('a speaker whose packets are lost is warned, captions go on, and the loss ends with the button', async (t) => {
  // As much silence as speech: a recogniser that is slower than speech on a busy machine catches up.
  const speaker = await open(t, '/', await chromiumThatHears('short.wav', 12));
  await speaker.check('#from-microphone');
  await speaker.check('#patched');
  const session = await speak(speaker);
  await speaker.waitForSelector('[data-language="es"] li.final');
  // The patched front end, too, meets the worker only through the relay.
  assert.match(await fact(speaker, 'Candidates'), /^[1-9]\d* sent,/);
  const media = await pair(speaker, session);
  t.diagnostic(`the worker's pair: ${media.candidateType} to ${media.remoteCandidateType}`);
  assert.equal(await fact(speaker, 'Sound'), 'Opus with RED');
  await known(speaker, session);

  await press(speaker, 'drop-20-bursts');
  const pressed = Date.now();
  await speaker.waitForSelector('[data-fault="drop-20-bursts"][aria-pressed="true"]');
  await speaker.waitForSelector('#notices [data-kind="packet_loss"]');
  t.diagnostic(`the speaker was warned after ${((Date.now() - pressed) / 1_000).toFixed(1)} s: ${await speaker.textContent('#notices li')}`);
  await over(t, speaker, 'drop-20-bursts');
  const lossy = await until(speaker, session, 'the worker counts the loss', ({ media, audioQuality }) => media.concealedMs > 0 && (audioQuality?.packetLossPercent ?? 0) > 0);
  assert.ok(lossy.media.lost > 0, 'what was made up was lost before');
  await told(speaker);

  await press(speaker, 'drop-none');
  const off = await relay(speaker, session);
  assert.ok(off.dropped > 0);
  for (const begun = Date.now(); (await relay(speaker, session)).passed < off.passed + 150; await speaker.waitForTimeout(250)) {
    assert.ok(Date.now() - begun < PATIENCE, 'packets pass again');
  }
  assert.equal((await relay(speaker, session)).dropped, off.dropped, 'nothing is dropped any more');
  await until(speaker, session, 'nothing is wrong with the network any more', ({ audioQuality }) => audioQuality?.issues.includes('packet_loss') === false);
  await speaker.waitForSelector('#plots [data-plot="Volume"]');
  assert.equal(await speaker.locator('#plots [data-plot="Arousal"]').count(), 0, 'nobody is judged who did not wish it');

  for (const fault of ['cut-transcribe', 'throttle-translate', 'cut-signaling']) await press(speaker, fault);
  for (const fault of ['cut-transcribe', 'throttle-translate', 'cut-signaling']) await over(t, speaker, fault);
  await speaker.click('#vanish');
  await speaker.click('#return');
  await over(t, speaker, 'tab-gone');
  await speaker.click('#end');
  await speaker.getByText('The session has ended.').first().waitFor();
  await speaker.close();
});

/** No final twice, none left out: cursors count from 1 without a gap within each launch that was followed from its begin. */
async function once(tab: Page): Promise<void> {
  const cursors = await tab.locator('li.final[data-generation="2"]').evaluateAll((items) => items.map((item) => Number((item as HTMLElement).dataset['cursor'])));
  assert.deepEqual(cursors, cursors.map((_, index) => index + 1));
}

async function lags(t: TestContext, tab: Page, language: string): Promise<void> {
  const of = (name: string) => tab.locator('li.final:not(.catch-up)').evaluateAll((items, key) => items.map((item) => Number((item as HTMLElement).dataset[key])), name);
  const [lag, transit] = [await of('lag'), await of('transit')].map((all) => all.sort((a, b) => a - b));
  const median = (all: number[] = []) => all[Math.floor(all.length / 2)] ?? 0;
  t.diagnostic(`${language}: ${lag?.length} finals, lag to the post p50 ${median(lag)} ms, highest ${lag?.at(-1)} ms; from the post to the page p50 ${median(transit)} ms`);
}

/** The same, of what a bad network does. */
async function told(page: Page): Promise<void> {
  if (SCREENSHOTS === undefined) return;
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.locator('#speaker-panel').screenshot({ path: join(SCREENSHOTS, 'speaker-dark.png') });
  await page.locator('#operator-panel').screenshot({ path: join(SCREENSHOTS, 'loss-dark.png') });
  await page.emulateMedia({ colorScheme: 'light' });
}

/** For the README, when asked for. */
async function screenshots(page: Page, reader: Page): Promise<void> {
  if (SCREENSHOTS === undefined) return;
  mkdirSync(SCREENSHOTS, { recursive: true });
  const folder = SCREENSHOTS;
  const taken = (name: string) => join(folder, `${name}.png`);
  await reader.waitForFunction(() => document.querySelectorAll('li.final').length >= 6);
  await page.evaluate(() => scrollTo(0, 0));
  await page.emulateMedia({ colorScheme: 'light' });
  const operator = page.locator('#operator-panel');
  await operator.evaluate((panel) => panel.setAttribute('hidden', ''));
  await page.screenshot({ path: taken('page'), fullPage: true });
  await operator.evaluate((panel) => panel.removeAttribute('hidden'));
  await operator.screenshot({ path: taken('operator') });
  await page.setViewportSize({ width: 390, height: 800 });
  for (const part of ['Speaker', 'Listeners', 'Operator']) {
    await page.getByRole('button', { name: part, exact: true }).click();
    await page.screenshot({ path: taken(`phone-${part.toLowerCase()}`) });
  }
  await page.getByRole('button', { name: 'Speaker', exact: true }).click();
  await page.setViewportSize({ width: 1280, height: 900 });
  await reader.setViewportSize({ width: 390, height: 800 });
  await reader.emulateMedia({ colorScheme: 'light' });
  await reader.screenshot({ path: taken('listener') });
  await reader.emulateMedia({ colorScheme: 'dark' });
  await reader.click('#settings-open');
  await reader.screenshot({ path: taken('listener-dark') });
  await reader.click('#settings-open');
}
