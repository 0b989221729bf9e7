// The page in a real Chromium, against the real worker and controller: run by scripts/test within `local-stack run --web`.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import type { Board, NetworkState, Row } from '../src/api.ts';
import { recordingFor } from './microphone.ts';

type Media = NonNullable<Row['worker']>['media'];

const PAGE = process.env['LOCAL_STACK_WEB'] ?? '';
const SCREENSHOTS = process.env['SCREENSHOTS'];
const SAMPLES = fileURLToPath(new URL('../../../../samples/', import.meta.url));
/** Longest wait for anything, also on a slow machine; nothing waits for a fixed time. */
const PATIENCE = 120_000;

const browsers: Browser[] = [];
let context: BrowserContext;

before(async () => {
  assert.notEqual(PAGE, '', 'LOCAL_STACK_WEB is not set: run this within `local-stack run --web -- …`');
  // The silence is for the worker's start.
  context = await chromiumThatHears('welcome.wav', 4);
});
after(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
});

/** A browser of its own, whose microphone hears so many seconds of silence and then the sample, again and again. */
async function chromiumThatHears(sample: string, silenceSeconds: number): Promise<BrowserContext> {
  const recording = join(mkdtempSync(join(tmpdir(), 'microphone-')), 'speech.wav');
  recordingFor(join(SAMPLES, sample), silenceSeconds, recording);
  const voice = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', `--use-file-for-fake-audio-capture=${recording}`];
  // Root can't have Chromium's sandbox, nor can users of some distributions; all that is opened is our own page.
  const bare = ['--no-sandbox'];
  // Also on a machine without a network: elsewhere Chromium leaves 127.0.0.1 out.
  const loopback = ['--allow-loopback-in-peer-connection'];
  const browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: [...voice, ...loopback, ...bare, '--disable-dev-shm-usage'] });
  browsers.push(browser);
  const own = await browser.newContext({ viewport: { width: 1280, height: 900 }, permissions: ['microphone'] });
  own.setDefaultTimeout(PATIENCE);
  return own;
}

test('two tabs read what a microphone heard, are caught up after a reload, and read on after the worker was killed', async (t) => {
  const speaker = await open(t, '/');
  await speaker.check('#from-microphone');
  await speaker.check('#judged');
  const begun = Date.now();
  const session = await speak(speaker);
  const [en, es] = [await open(t, listening(session, 'en')), await open(t, listening(session, 'es'))];
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

  await screenshots(speaker, en);
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

test('the page is used by keyboard, fits a telephone, and sets no trap', async (t) => {
  const page = await open(t, '/');
  await page.focus('#from-file');
  await page.keyboard.press('ArrowLeft');
  assert.ok(await page.isChecked('#from-microphone'));
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 800 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(over, 0, `nothing sticks out at ${width} px`);
  }
  const unnamed = await page.evaluate(() => [...document.querySelectorAll('button, select, input')].filter((control) =>
    (control.textContent ?? '').trim() === '' && control.getAttribute('aria-label') === null && control.closest('label') === null).length);
  assert.equal(unnamed, 0, 'every control has a name');
  await page.close();
});

/** A tab; whatever it complains about fails the test. */
async function open(t: TestContext, path: string, where = context): Promise<Page> {
  const page = await where.newPage();
  page.on('pageerror', (problem) => assert.fail(`${path}: ${problem.message}`));
  page.on('console', (said) => said.type() === 'error' && t.diagnostic(`${path}: ${said.text()}`));
  await page.goto(PAGE + path);
  await page.waitForSelector('#add-language option', { state: 'attached' });
  return page;
}

const listening = (session: string, language: string) => `/?view=listen&session=${session}&languages=${language}`;

async function speak(speaker: Page): Promise<string> {
  await speaker.click('#speak');
  await speaker.waitForSelector('dd[data-state="open"]');
  return (await speaker.textContent('#session')) ?? '';
}

const fact = async (speaker: Page, name: string) => (await speaker.textContent(`dd[data-fact="${name}"]`)) ?? '';

/** Presses a fault's button by keyboard, and waits until it is done. */
async function press(page: Page, fault: string): Promise<void> {
  const before = await page.locator(`[data-broken="${fault}"]`).count();
  await page.press(`[data-fault="${fault}"]`, 'Enter');
  await page.locator(`[data-broken="${fault}"]`).nth(before).waitFor();
}

/** The page itself tells that listeners read on. */
async function over(t: TestContext, page: Page, fault: string): Promise<void> {
  await page.waitForSelector(`.over[data-broken="${fault}"]`);
  t.diagnostic(await page.textContent(`.over[data-broken="${fault}"]`) ?? '');
}

type Status = NonNullable<Row['worker']>;

async function row(page: Page, session: string): Promise<Row | undefined> {
  const board = (await (await page.request.get(`${PAGE}/api/operator/${session}/show`)).json()) as Board;
  return board.sessions[0]?.row;
}

/** What the worker tells, once it is so. */
async function until(page: Page, session: string, what: string, so: (worker: Status, row: Row) => boolean): Promise<Status> {
  for (const begun = Date.now(); Date.now() - begun < PATIENCE; await page.waitForTimeout(250)) {
    const now = await row(page, session);
    if (now?.worker && so(now.worker, now)) return now.worker;
  }
  return assert.fail(`not in time: ${what}`);
}

/** The media as `sessionctl show --json` tells it, once a heartbeat has told the pair of candidates. */
async function pair(page: Page, session: string): Promise<Media> {
  return (await until(page, session, 'a heartbeat tells the pair of candidates', ({ media }) => Boolean(media.remoteCandidateType))).media;
}

/** The worker knows where the speaker can be told something: its orders name the connection, and it has read them since. */
async function known(page: Page, session: string): Promise<void> {
  await until(page, session, 'the orders name the connection', (_, { intent }) => Boolean(intent?.speakerConnection));
  const named = Date.now();
  await until(page, session, 'the worker has read them', ({ heartbeatAt }) => heartbeatAt > named);
}

async function relay(page: Page, session: string): Promise<{ passed: number; dropped: number }> {
  const { seen } = (await (await page.request.get(`${PAGE}/api/faults`)).json()) as NetworkState;
  const [, own] = Object.entries(seen).find(([channel]) => channel.includes(`/session-${session}/`)) ?? [];
  return own ?? assert.fail(`no relay before the worker of ${session}: ${JSON.stringify(seen)}`);
}

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
  const taken = (name: string) => join(SCREENSHOTS, `${name}.png`);
  await reader.waitForFunction(() => document.querySelectorAll('li.final').length >= 6);
  await page.evaluate(() => scrollTo(0, 0));
  await page.emulateMedia({ colorScheme: 'light' });
  const operator = page.locator('#operator-panel');
  await operator.evaluate((panel) => panel.setAttribute('hidden', ''));
  await page.screenshot({ path: taken('page'), fullPage: true });
  await operator.evaluate((panel) => panel.removeAttribute('hidden'));
  await operator.screenshot({ path: taken('operator') });
  await reader.emulateMedia({ colorScheme: 'dark' });
  await reader.setViewportSize({ width: 390, height: 620 });
  await reader.screenshot({ path: taken('listener-dark') });
}
