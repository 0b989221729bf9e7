// What the tests of the live page share: browsers, sessions, what the stack tells.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import type { Board, NetworkState, Row } from '../src/api.ts';
import { recordingFor } from './microphone.ts';

type Media = NonNullable<Row['worker']>['media'];

export const PAGE = process.env['LOCAL_STACK_WEB'] ?? '';
export const SCREENSHOTS = process.env['SCREENSHOTS'];
const SAMPLES = fileURLToPath(new URL('../../../../samples/', import.meta.url));
/** Longest wait for anything, also on a slow machine; nothing waits for a fixed time. */
export const PATIENCE = 120_000;

const browsers: Browser[] = [];

export async function closeAll(): Promise<void> {
  await Promise.all(browsers.map((browser) => browser.close()));
}

/** A browser of its own, whose microphone hears so many seconds of silence and then the sample, again and again. */
export async function chromiumThatHears(sample: string, silenceSeconds: number): Promise<BrowserContext> {
  assert.notEqual(PAGE, '', 'LOCAL_STACK_WEB is not set: run this within `local-stack run --web -- …`');
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

/** A tab; whatever it complains about fails the test. */
export async function open(t: TestContext, path: string, where: BrowserContext): Promise<Page> {
  const page = await where.newPage();
  page.on('pageerror', (problem) => assert.fail(`${path}: ${problem.message}`));
  page.on('console', (said) => said.type() === 'error' && t.diagnostic(`${path}: ${said.text()}`));
  await page.goto(PAGE + path);
  await page.waitForSelector('#add-language option, #language option', { state: 'attached' });
  return page;
}

export const listening = (session: string, language: string) => `/listen/?session=${session}&language=${language}`;

export async function speak(speaker: Page): Promise<string> {
  await speaker.press('#speak', 'Enter');
  await speaker.waitForSelector('dd[data-state="open"]');
  assert.equal(await speaker.evaluate(() => document.activeElement?.id), 'speak', 'the focus stays on the button');
  return (await speaker.textContent('#session')) ?? '';
}

export const fact = async (speaker: Page, name: string) => (await speaker.textContent(`dd[data-fact="${name}"]`)) ?? '';

/** Presses a fault's button by keyboard, waits until it is done, and finds the focus where it was. */
export async function press(page: Page, fault: string): Promise<void> {
  const before = await page.locator(`[data-broken="${fault}"]`).count();
  await page.press(`[data-fault="${fault}"]`, 'Enter');
  await page.locator(`[data-broken="${fault}"]`).nth(before).waitFor();
  assert.equal(await page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset['fault']), fault, 'the focus stays on the button');
}

/** The page itself tells that listeners read on. */
export async function over(t: TestContext, page: Page, fault: string): Promise<void> {
  await page.waitForSelector(`.over[data-broken="${fault}"]`);
  t.diagnostic(await page.textContent(`.over[data-broken="${fault}"]`) ?? '');
}

export type Status = NonNullable<Row['worker']>;

async function row(page: Page, session: string): Promise<Row | undefined> {
  const board = (await (await page.request.get(`${PAGE}/api/operator/${session}/show`)).json()) as Board;
  return board.sessions[0]?.row;
}

/** What the worker tells, once it is so. */
export async function until(page: Page, session: string, what: string, so: (worker: Status, row: Row) => boolean): Promise<Status> {
  for (const begun = Date.now(); Date.now() - begun < PATIENCE; await page.waitForTimeout(250)) {
    const now = await row(page, session);
    if (now?.worker && so(now.worker, now)) return now.worker;
  }
  return assert.fail(`not in time: ${what}`);
}

/** The media as `sessionctl show --json` tells it, once a heartbeat has told the pair of candidates. */
export async function pair(page: Page, session: string): Promise<Media> {
  return (await until(page, session, 'a heartbeat tells the pair of candidates', ({ media }) => Boolean(media.remoteCandidateType))).media;
}

/** The worker knows where the speaker can be told something: its orders name the connection, and it has read them since. */
export async function known(page: Page, session: string): Promise<void> {
  await until(page, session, 'the orders name the connection', (_, { intent }) => Boolean(intent?.speakerConnection));
  const named = Date.now();
  await until(page, session, 'the worker has read them', ({ heartbeatAt }) => heartbeatAt > named);
}

export async function relay(page: Page, session: string): Promise<{ passed: number; dropped: number }> {
  const { seen } = (await (await page.request.get(`${PAGE}/api/faults`)).json()) as NetworkState;
  const [, own] = Object.entries(seen).find(([channel]) => channel.includes(`/session-${session}/`)) ?? [];
  return own ?? assert.fail(`no relay before the worker of ${session}: ${JSON.stringify(seen)}`);
}

/** A telephone in the network; its owner reads Spanish. */
export async function telephone(browser: Browser | null): Promise<Page> {
  assert.ok(browser);
  const own = await browser.newContext({ viewport: { width: 390, height: 800 }, locale: 'es-ES', isMobile: true, hasTouch: true });
  own.setDefaultTimeout(PATIENCE);
  return own.newPage();
}
