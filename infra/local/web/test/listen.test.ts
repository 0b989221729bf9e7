// The listener's page in a real Chromium, with a service that says what the test wants: no stack, no worker.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type BrowserContext, type Page, type WebSocketRoute } from 'playwright-core';
import type { Caption } from '../../../../schemas/front-end/messages.ts';
import { accessible, violations } from './axe.ts';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const GOLDEN = JSON.parse(readFileSync(new URL('../../../../schemas/golden/transcription.final.json', import.meta.url), 'utf8')) as Caption;
const KINDS: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };
const HOME = 'http://127.0.0.1:1';
const OFFER = { languages: ['es', 'ca', 'en', 'ar', 'de'], sourceLanguages: ['en'], translation: { says: '', source: 'en', engines: [{ engine: 'Apertium', languages: ['es', 'ca'] }], untranslated: ['ar', 'de'] } };

let browser: Browser;
before(async () => {
  browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage'] });
});
after(() => browser.close());

/** A telephone, and the service's side of its connections. */
class Telephone {
  readonly sockets: WebSocketRoute[] = [];
  readonly joined: Record<string, string>[] = [];
  /** Whether connections are taken at all. */
  reachable = true;

  private constructor(readonly page: Page) {}

  static async open(query: string, context?: BrowserContext): Promise<Telephone> {
    const where = context ?? (await browser.newContext({ viewport: { width: 390, height: 800 }, locale: 'es-MX' }));
    const it = new Telephone(await where.newPage());
    it.page.on('pageerror', (problem) => assert.fail(problem.message));
    it.page.setDefaultTimeout(15_000);
    await it.page.route(`${HOME}/**`, async (route) => {
      const { pathname } = new URL(route.request().url());
      if (pathname === '/api/listen') return route.fulfill({ json: OFFER });
      const file = join(DIST, pathname.endsWith('/') ? `${pathname}index.html` : pathname);
      return route.fulfill({ body: readFileSync(file), contentType: KINDS[extname(file)] ?? 'application/octet-stream' });
    });
    await it.page.routeWebSocket(/\/api\/listen\/socket/, (socket) => {
      if (!it.reachable) return void socket.close();
      it.sockets.push(socket);
      socket.onMessage((text) => {
        const message = JSON.parse(String(text)) as Record<string, string>;
        if (message['action'] !== 'joinSession') return socket.send(JSON.stringify({ type: 'heartbeatAck' }));
        it.joined.push(message);
        socket.send(JSON.stringify({ type: 'sessionJoined' }));
      });
    });
    await it.page.goto(`${HOME}/listen/?${query}`);
    if (query.includes('session=')) await it.isJoined();
    return it;
  }

  isJoined = (): Promise<unknown> => this.page.waitForFunction(() => document.body.dataset['link'] === 'joined');

  async says(cursor: number, text: string, change: Partial<Caption> = {}): Promise<void> {
    const caption: Caption = { ...GOLDEN, cursor, text, segmentId: `${change.generation ?? 1}-${cursor}`, sourceText: `original of ${text}`, ...change };
    this.sockets.at(-1)?.send(JSON.stringify({ ...caption, type: 'transcription' }));
    if (caption.isFinal) await this.page.locator(`li.final[data-cursor="${cursor}"][data-generation="${caption.generation}"]`).waitFor();
  }

  /** The connection is lost and comes back. */
  async lose(): Promise<void> {
    const before = this.joined.length;
    this.reachable = false;
    await this.sockets.at(-1)?.close();
    await this.page.getByText('The connection is lost.').waitFor();
    this.reachable = true;
    await this.isJoined();
    assert.equal(this.joined.length, before + 1);
  }

  state = async (): Promise<string> => (await this.page.textContent('#state')) ?? '';
}

const SENTENCES = Array.from({ length: 20 }, (_, index) => `Frase número ${index + 1}, que es bastante larga para llenar más de una línea.`);

test('a telephone reads in its own language, picks another by its own name, and finds its choice again', async () => {
  const phone = await Telephone.open('session=calm-river-001');
  await phone.says(1, 'Hola.');
  assert.equal(phone.joined[0]?.['targetLanguage'], 'es', 'the device says es-MX');
  assert.match(await phone.page.title(), /^Español – captions of calm-river-001$/);
  await phone.page.selectOption('#language', { label: 'Català' });
  await phone.page.waitForFunction(() => document.title.startsWith('Català') && document.querySelectorAll('li').length === 0);
  await phone.isJoined();
  assert.equal(phone.joined.at(-1)?.['targetLanguage'], 'ca');
  const again = await Telephone.open('session=calm-river-001', phone.page.context());
  await again.says(1, 'Hola.', { language: 'ca' });
  assert.equal(again.joined[0]?.['targetLanguage'], 'ca');
  await phone.page.context().close();
});

test('captions fill the telephone, and the newest stands in sight', async () => {
  const phone = await Telephone.open('session=calm-river-001');
  for (const [index, text] of SENTENCES.entries()) await phone.says(index + 1, text);
  const box = await phone.page.locator('#captions').boundingBox();
  assert.ok((box?.height ?? 0) > 600, `${box?.height} of 800 px are captions`);
  const last = await phone.page.locator('li.final').last().boundingBox();
  assert.ok(last !== null && box !== null && last.y + last.height <= box.y + box.height, 'the newest is in sight');
  assert.equal(await phone.page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
  await phone.page.context().close();
});

test('who reads back is left in peace, told of new captions, and led to them by a button', async () => {
  const phone = await Telephone.open('session=calm-river-001');
  for (const [index, text] of SENTENCES.entries()) await phone.says(index + 1, text);
  await phone.page.locator('#captions').hover();
  await phone.page.mouse.wheel(0, -600);
  await phone.page.getByRole('button', { name: 'Go on following' }).waitFor();
  const place = await phone.page.evaluate(() => document.querySelector('#captions')?.scrollTop);
  await phone.says(21, 'Una más.');
  await phone.says(22, 'Y otra.');
  assert.equal(await phone.page.evaluate(() => document.querySelector('#captions')?.scrollTop), place);
  await phone.page.getByRole('button', { name: '2 new captions' }).click();
  await phone.page.locator('li', { hasText: 'Y otra.' }).waitFor();
  assert.ok(await phone.page.evaluate(() => document.activeElement?.id === 'captions'), 'the focus stays with the captions');
  assert.ok(await atEnd(phone.page));
  await phone.page.click('#pause');
  await phone.says(23, 'Durante la pausa.');
  assert.equal(await phone.page.textContent('#more'), '1 new caption');
  await phone.page.click('#pause');
  assert.ok(await atEnd(phone.page));
  await phone.page.context().close();
});

const atEnd = (page: Page): Promise<boolean> =>
  page.evaluate(() => {
    const list = document.querySelector('#captions');
    return list !== null && list.scrollHeight - list.scrollTop - list.clientHeight < 2;
  });

test('after a lost connection the page says what was missed, by the cursors, and marks the place', async () => {
  const phone = await Telephone.open('session=calm-river-001');
  await phone.says(1, 'Uno.');
  await phone.says(2, 'Dos.');
  await phone.lose();
  assert.match(await phone.state(), /The next caption tells whether something was missed/);
  await phone.says(2, 'Dos.', { catchUp: true });
  await phone.page.getByText('You missed nothing.').waitFor();
  await phone.lose();
  await phone.says(6, 'Seis.', { catchUp: true });
  await phone.page.getByText('You missed 3 sentences.').waitFor();
  assert.equal(await phone.page.getAttribute('li[data-cursor="6"]', 'data-missing'), '3 sentences are missing here');
  await phone.lose();
  await phone.says(1, 'De nuevo.', { generation: 2 });
  await phone.page.getByText('Another worker writes now').waitFor();
  await phone.page.context().close();
});

test('the translation of an original that was shown takes its place and is said, and is no further caption', async () => {
  const phone = await Telephone.open('session=calm-river-001');
  await phone.says(1, 'Good morning.', { degraded: true, translated: false, revision: 1 });
  await phone.says(2, 'Dos.');
  await phone.page.click('#pause');
  await phone.says(1, 'Buenos días.', { revision: 2, revised: true });
  await phone.page.getByText('Buenos días.').first().waitFor();
  assert.deepEqual(await phone.page.locator('#captions > li > bdi').allTextContents(), ['Buenos días.', 'Dos.']);
  assert.equal(await phone.page.locator('li.untranslated').count(), 0);
  assert.equal(await phone.page.textContent('#more'), 'Go on following', 'none is counted');
  assert.deepEqual(await phone.page.locator('#said > p').allTextContents(), ['Not translated: Good morning.', 'Dos.', 'Buenos días.']);
  await phone.page.context().close();
});

test('how new words are read is chosen, told to the service, and kept', async () => {
  const phone = await Telephone.open('session=calm-river-001');
  assert.equal(phone.joined[0]?.['captionMode'], undefined, 'as usual');
  await phone.page.click('#settings-open');
  await phone.page.getByLabel('Only what stays').check();
  await phone.page.getByLabel('The soonest').check();
  assert.deepEqual(phone.joined.slice(1).map((joined) => joined['captionMode']), ['stable', 'fast']);
  await phone.page.reload();
  await phone.isJoined();
  assert.equal(phone.joined.at(-1)?.['captionMode'], 'fast');
  assert.ok(await phone.page.isChecked('input[name=mode][value=fast]', { strict: true }));
  await phone.page.context().close();
});

test('a screen reader is told finals, each once, and no partial', async () => {
  const phone = await Telephone.open('session=calm-river-001');
  await phone.says(1, 'Buenos', { isFinal: false, revision: 1, stableWords: 0 });
  await phone.page.locator('li.partial').waitFor();
  await phone.says(1, 'Buenos días.', { revision: 2 });
  await phone.lose();
  await phone.says(1, 'Buenos días.', { revision: 2, catchUp: true });
  await phone.says(2, 'Gracias.');
  assert.deepEqual(await phone.page.locator('#said > p').allTextContents(), ['Buenos días.', 'Gracias.']);
  assert.equal(await phone.page.getAttribute('#said', 'aria-live'), 'polite');
  await phone.page.context().close();
});

test('letters, colours and the original are set and kept in this browser', async () => {
  const phone = await Telephone.open('session=calm-river-001');
  await phone.says(1, 'Hola.');
  const size = () => phone.page.evaluate(() => Number.parseFloat(getComputedStyle(document.querySelector('#captions') ?? document.body).fontSize));
  const before = await size();
  assert.ok(before >= 24, `${before} px are large type`);
  await phone.page.click('#settings-open');
  await phone.page.click('#larger');
  await phone.page.check('input[value="contrast"]');
  await phone.page.check('#original');
  assert.ok((await size()) > before);
  assert.ok(await phone.page.locator('.original').isVisible());
  await phone.page.reload();
  await phone.isJoined();
  assert.ok((await size()) > before);
  assert.equal(await phone.page.getAttribute('html', 'data-theme'), 'contrast');
  await phone.page.context().close();
});

test('Arabic runs from the right, and what is not translated runs as it is written', async () => {
  const phone = await Telephone.open('session=calm-river-001&language=ar');
  await phone.says(1, 'صباح الخير جميعًا.', { language: 'ar' });
  await phone.says(2, 'Good morning.', { language: 'ar', degraded: true });
  const side = (cursor: number) => phone.page.evaluate((at) => getComputedStyle(document.querySelector(`li[data-cursor="${at}"]`) ?? document.body).direction, cursor);
  assert.deepEqual([await side(1), await side(2)], ['rtl', 'ltr']);
  assert.equal(await phone.page.getAttribute('li[data-cursor="2"]', 'lang'), 'en');
  await phone.says(3, 'نستعمل اليوم Amazon Web Services.', { language: 'ar', catchUp: true });
  await phone.says(4, 'ثم نترجم كل جملة', { language: 'ar', isFinal: false, stableWords: 2, stableChars: 8 });
  const text = await phone.page.evaluate(() => [...document.querySelectorAll('li[data-cursor] > bdi')].map((bdi) => [getComputedStyle(bdi).unicodeBidi, bdi.getAttribute('dir')]));
  assert.deepEqual(text, [['isolate', 'rtl'], ['isolate', 'ltr'], ['isolate', 'rtl'], ['isolate', 'rtl']]);
  assert.equal(await phone.page.textContent('li[data-cursor="4"] .loose'), ' كل جملة');
  // The mark of the English name stands at its left, where the sentence ends, and the label "earlier" further to the left.
  const [mark, stop, name] = await phone.page.evaluate(() => {
    const words = document.querySelector('li[data-cursor="3"] bdi span')?.firstChild as Text;
    const letters = [words.length - 1, words.data.indexOf('Services')].map((from) => {
      const range = document.createRange();
      range.setStart(words, from);
      range.setEnd(words, from + 1);
      return range.getBoundingClientRect().left;
    });
    return [document.querySelector('li[data-cursor="3"] .mark')?.getBoundingClientRect().left ?? NaN, ...letters];
  }) as [number, number, number];
  assert.ok(mark < stop && stop < name, `${mark} ${stop} ${name}`);
  await phone.page.context().close();
});

test('a link without a session asks for its name', async () => {
  const phone = await Telephone.open('');
  assert.deepEqual(await violations(phone.page), []);
  await phone.page.fill('#join-session', 'calm-river-001');
  await phone.page.keyboard.press('Enter');
  await phone.isJoined();
  await phone.says(1, 'Hola.');
  assert.equal(phone.joined[0]?.['sessionId'], 'calm-river-001');
  await phone.page.context().close();
});

test('nothing on the listener\'s page shuts anybody out, in any colours', async () => {
  const phone = await Telephone.open('session=calm-river-001');
  for (const [index, text] of SENTENCES.slice(0, 6).entries()) await phone.says(index + 1, text, index === 2 ? { degraded: true } : index < 2 ? { catchUp: true } : {});
  await phone.says(7, 'Esto todavía puede cambiar', { isFinal: false, stableWords: 2 });
  await phone.page.click('#settings-open');
  await phone.page.click('#pause');
  await accessible(phone.page, 'the listener\'s page');
  await phone.page.check('input[value="contrast"]');
  assert.deepEqual(await violations(phone.page), [], 'high contrast');
  await phone.page.context().close();
});
