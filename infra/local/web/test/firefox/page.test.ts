// The page in Firefox as it is installed, against the real worker and controller: run by scripts/test within `local-stack run --web`, in a
// network of its own, because this Firefox leaves loopback out and tests send nothing to a real network.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { launch, type Browser, type Page } from 'puppeteer-core';
import type { Board, NetworkState, Row } from '../../src/api.ts';
import { Sound } from './sound.ts';

const STACK = process.env['LOCAL_STACK_WEB'] ?? '';
/** The only interface but loopback, made by scripts/test: the name keeps a machine's real one safe. */
const WIRE = 'page-test';
const SAMPLES = fileURLToPath(new URL('../../../../../samples/', import.meta.url));
/** Longest wait for anything, also on a slow machine; nothing waits for a fixed time. */
const PATIENCE = 120_000;

const closing: (() => Promise<void>)[] = [];

/** Of the wire. */
function addresses(): string {
  const all = execFileSync('ip', ['-oneline', '-4', 'addr', 'show'], { encoding: 'utf8' }).split('\n');
  return all.filter((line) => line.includes(` ${WIRE} `)).join('\n');
}

before(() => {
  assert.notEqual(STACK, '', 'LOCAL_STACK_WEB is not set: run this by `scripts/test Firefox`');
  assert.notEqual(addresses(), '', `there is no interface ${WIRE}: run this by \`scripts/test Firefox\``);
});
after(async () => {
  for (const close of closing.reverse()) await close();
});

/** A Firefox of its own with the preferences that it is installed with, but what a person presses when asked for the microphone. */
async function firefox(environment: NodeJS.ProcessEnv): Promise<Browser> {
  const userDataDir = mkdtempSync(join(tmpdir(), 'firefox-'));
  const browser = await launch({
    browser: 'firefox',
    executablePath: process.env['FIREFOX'] ?? '/usr/bin/firefox-esr',
    userDataDir,
    // As wide as a desk's: a narrow page shows one part at a time.
    defaultViewport: { width: 1_280, height: 720 },
    env: { ...process.env, ...environment },
    extraPrefsFirefox: { 'permissions.default.microphone': 1 },
    protocolTimeout: PATIENCE,
    timeout: PATIENCE,
  });
  closing.push(async () => {
    await browser.close();
    rmSync(userDataDir, { recursive: true, force: true, maxRetries: 5 });
  });
  const set = readFileSync(join(userDataDir, 'prefs.js'), 'utf8') + readFileSync(join(userDataDir, 'user.js'), 'utf8');
  assert.doesNotMatch(set, /media\.peerconnection\.|media\.navigator\./, 'WebRTC is as it is installed');
  return browser;
}

test('Firefox speaks through a microphone, listeners read on after a reload, and losses are heard and told', async (t) => {
  const sound = await Sound.start();
  closing.push(() => sound.stop());
  const browser = await firefox(sound.environment);
  const speaker = await open(t, browser, '/');
  await speaker.click('#from-microphone');
  const begun = Date.now();
  const session = await speak(speaker);
  const [en, es] = [await open(t, browser, listening(session, 'en')), await open(t, browser, listening(session, 'es'))];
  await heard(speaker);
  t.diagnostic(`the worker hears Firefox ${seconds(begun)} after the click; sound: ${await fact(speaker, 'Sound')}`);

  sound.play(join(SAMPLES, 'welcome.wav'));
  const spoken = Date.now();
  // On a busy machine a sentence may come untranslated, and says so by its language.
  await Promise.all([there(en, 'li.final[lang="en"]'), there(es, 'li.final[lang="es"]')]);
  t.diagnostic(`finals in both tabs ${seconds(spoken)} after the first word`);
  assert.notEqual(await text(es, 'li.final[lang="es"]'), await text(en, 'li.final'), 'the second tab reads a translation');
  const { media } = await until(session, 'a heartbeat tells the pair of candidates', (worker) => Boolean(worker.media.remoteCandidateType));
  t.diagnostic(`the worker's pair: ${media.candidateType} to ${media.remoteCandidateType}`);
  assert.equal(media.redRecovered, 0, 'Firefox refuses RED');

  await es.reload();
  await there(es, 'li.catch-up[lang="es"]');

  await speaker.bringToFront();
  await press(speaker, 'drop-20-bursts');
  const pressed = Date.now();
  await there(speaker, '#notices [data-kind="packet_loss"]');
  t.diagnostic(`the speaker was warned after ${seconds(pressed)}: ${await text(speaker, '#notices li')}`);
  await over(t, speaker, 'drop-20-bursts');
  const lossy = await until(session, 'the worker counts the loss', (worker) => worker.media.concealedMs > 0);
  assert.ok(lossy.media.lost > 0, 'what was made up was lost before');
  assert.ok((await relay(session)).dropped > 0, 'the sound goes through the relay');
  await press(speaker, 'drop-none');
  await end(speaker, en);
});

test('Firefox plays a recording on a machine without a sound device', async (t) => {
  const browser = await firefox({ PULSE_SERVER: 'unix:/nonexistent' });
  const speaker = await open(t, browser, '/');
  await speaker.select('#file', 'short.wav');
  const session = await speak(speaker);
  await heard(speaker);
  await there(speaker, '[data-language="en"] li.final[lang="en"]');
  await there(speaker, '[data-language="es"] li.final[lang="es"]');
  await says(speaker, 'The recording is over');
  // Behind it comes silence, as from a microphone: else the worker would look for a speaker who has gone.
  const { passed } = await relay(session);
  for (const begun = Date.now(); (await relay(session)).passed < passed + 100; await pause(200)) {
    assert.ok(Date.now() - begun < PATIENCE, 'packets go on behind the recording');
  }
  t.diagnostic(`${passed} packets until the end of the recording`);
  await end(speaker, speaker);
});

test('where the machine has no address but loopback, Firefox says that it cannot speak, and what helps', async (t) => {
  const browser = await firefox({ PULSE_SERVER: 'unix:/nonexistent' });
  execFileSync('ip', ['addr', 'flush', 'dev', WIRE]);
  const speaker = await open(t, browser, '/');
  await speaker.select('#file', 'short.wav');
  await speak(speaker);
  await there(speaker, 'dd[data-state="no address"]');
  assert.match(await text(speaker, '#speaker-problem'), /no address to speak from.*media\.peerconnection\.ice\.loopback/s);
  await speaker.click('#end');
});

const seconds = (since: number) => `${((Date.now() - since) / 1_000).toFixed(1)} s`;
const listening = (session: string, language: string) => `/listen/?session=${session}&language=${language}`;

/** A tab; whatever it complains about fails the test. */
async function open(t: TestContext, browser: Browser, path: string): Promise<Page> {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on('pageerror', (problem) => {
    // Firefox tells of what became of a connection in the same place as of mistakes.
    if (/Error: WebRTC: /.test(String(problem))) t.diagnostic(String(problem));
    else assert.fail(`${path}: ${String(problem)}`);
  });
  await page.goto(STACK + path);
  await there(page, '#add-language option, #language option');
  return page;
}

const there = (page: Page, selector: string) => page.waitForSelector(selector, { timeout: PATIENCE });
const text = (page: Page, selector: string) => page.$eval(selector, (element) => element.textContent ?? '');
const fact = (page: Page, name: string) => text(page, `dd[data-fact="${name}"]`);

async function says(page: Page, words: string): Promise<void> {
  await page.waitForFunction((wanted: string) => (document.getElementById('speaker-says')?.textContent ?? '').includes(wanted), { timeout: PATIENCE, polling: 200 }, words);
}

async function speak(speaker: Page): Promise<string> {
  await speaker.click('#speak');
  await there(speaker, 'dd[data-state="open"]');
  return text(speaker, '#session');
}

/** The worker itself has confirmed the sound, which more than a connection proves. */
async function heard(speaker: Page): Promise<void> {
  await speaker.waitForFunction(() => /^confirmed/.test(document.querySelector('dd[data-fact="Heard"]')?.textContent ?? ''), { timeout: PATIENCE, polling: 200 });
}

async function press(page: Page, fault: string): Promise<void> {
  const before = (await page.$$(`[data-broken="${fault}"]`)).length;
  await page.click(`[data-fault="${fault}"]`);
  await page.waitForFunction((wanted: string, many: number) => document.querySelectorAll(wanted).length > many, { timeout: PATIENCE, polling: 200 }, `[data-broken="${fault}"]`, before);
}

/** The page itself tells that listeners read on. */
async function over(t: TestContext, page: Page, fault: string): Promise<void> {
  await there(page, `.over[data-broken="${fault}"]`);
  t.diagnostic(await text(page, `.over[data-broken="${fault}"]`));
}

async function end(speaker: Page, listener: Page): Promise<void> {
  await speaker.click('#end');
  await listener.waitForFunction(() => (document.body.textContent ?? '').includes('The session has ended.'), { timeout: PATIENCE, polling: 200 });
}

type Status = NonNullable<Row['worker']>;

const json = async <T>(path: string) => (await (await fetch(STACK + path)).json()) as T;

/** What the worker tells, once it is so. */
async function until(session: string, what: string, so: (worker: Status) => boolean): Promise<Status> {
  for (const begun = Date.now(); Date.now() - begun < PATIENCE; await pause(250)) {
    const worker = (await json<Board>(`/api/operator/${session}/show`)).sessions[0]?.row?.worker;
    if (worker && so(worker)) return worker;
  }
  return assert.fail(`not in time: ${what}`);
}

async function relay(session: string): Promise<{ passed: number; dropped: number }> {
  const { seen } = await json<NetworkState>('/api/faults');
  const [, own] = Object.entries(seen).find(([channel]) => channel.includes(`/session-${session}/`)) ?? [];
  return own ?? assert.fail(`no relay before the worker of ${session}: ${JSON.stringify(seen)}`);
}
