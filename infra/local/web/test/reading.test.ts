// What a listener's page and the speaker's meter decide by themselves, without a browser.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Caption } from '../../../../schemas/front-end/messages.ts';
import { follow, FOLLOWING, label } from '../src/follow.ts';
import { choices, direction, ownName, preferred, standsIn } from '../src/languages.ts';
import { gapBefore, missingWords, words, type State } from '../src/link.ts';
import { bar, Ear } from '../src/meter.ts';
import { DEFAULTS, parse, resized, SIZES } from '../src/settings.ts';
import { linkTo, pathOf } from '../src/share.ts';
import { written } from '../src/written.ts';

const golden = JSON.parse(readFileSync(new URL('../../../../schemas/golden/transcription.final.json', import.meta.url), 'utf8')) as Caption;
const final = (generation: number, cursor: number): Caption => ({ ...golden, generation, cursor, segmentId: `${generation}-${cursor}` });
const well: State = { link: 'joined', missed: null, over: false, notice: '', wasAway: false, hasRead: true };

test('"you missed nothing" is said only when the cursors prove it', () => {
  const back = (missed: State['missed']) => words({ ...well, wasAway: true, missed });
  assert.match(back(0), /You missed nothing\.$/);
  assert.match(back(1), /You missed 1 sentence\.$/);
  assert.match(back(7), /You missed 7 sentences\.$/);
  for (const open of [back(null), back('unknown'), words({ ...well, wasAway: true, hasRead: false })]) assert.doesNotMatch(open, /missed nothing/);
  assert.equal(words(well), '', 'who was never away is told nothing');
});

test('a lost connection is said before a notice of the service, and the end before both', () => {
  const state = { ...well, notice: 'Captions are in the original.', wasAway: true, missed: 0 as const };
  assert.match(words({ ...state, link: 'away' }), /^The connection is lost/);
  assert.match(words(state), /missed nothing\. Captions are in the original\.$/);
  assert.equal(words({ ...state, link: 'away', over: true }), 'The session has ended.');
});

test('the place where sentences are missing is marked with their number', () => {
  assert.equal(missingWords(gapBefore(final(1, 4), final(1, 5))), '');
  assert.equal(missingWords(gapBefore(final(1, 4), final(1, 6))), '1 sentence is missing here');
  assert.equal(missingWords(gapBefore(final(1, 4), final(1, 8))), '3 sentences are missing here');
  assert.equal(missingWords(gapBefore(undefined, final(1, 8))), '', 'who comes late has missed what was before, and knows it');
});

test('a change of worker alone is no mark, sentences of the new one that did not come are', () => {
  assert.equal(missingWords(gapBefore(final(1, 4), final(2, 1))), '');
  assert.equal(missingWords(gapBefore(final(1, 4), final(2, 3))), '2 sentences are missing here');
});

test('a list that was scrolled back stands still, counts what comes, and goes on at the end', () => {
  let now = follow(FOLLOWING, { scrolled: 'away' });
  now = follow(follow(now, { came: 1 }), { came: 2 });
  assert.equal(label(now), '3 new captions');
  assert.deepEqual(follow(now, { scrolled: 'atEnd' }), FOLLOWING);
  assert.equal(label(follow(FOLLOWING, { came: 5 })), '', 'who follows has seen them');
});

test('a list that was told to stand still does so until it is told to follow, wherever it is scrolled', () => {
  let now = follow(FOLLOWING, { pressed: 'pause' });
  assert.equal(label(now), 'Go on following');
  now = follow(follow(now, { came: 1 }), { scrolled: 'atEnd' });
  assert.equal(label(now), '1 new caption');
  assert.deepEqual(follow(now, { pressed: 'follow' }), FOLLOWING);
});

test('settings that were kept are read, and what nobody understands is as if nobody had chosen', () => {
  const chosen = { language: 'ar', size: 5, theme: 'contrast', original: true, mode: 'stable' } as const;
  assert.deepEqual(parse(JSON.stringify(chosen)), chosen);
  for (const odd of [null, '', 'no JSON', '7', '{"language":"<b>","size":99,"theme":"pink","original":"yes","mode":"slow"}']) assert.deepEqual(parse(odd), DEFAULTS);
});

test('letters grow and shrink within their sizes', () => {
  assert.equal(resized({ ...DEFAULTS, size: SIZES.length - 1 }, 1).size, SIZES.length - 1);
  assert.equal(resized({ ...DEFAULTS, size: 0 }, -1).size, 0);
  assert.equal(resized(DEFAULTS, 1).size, DEFAULTS.size + 1);
});

const apertium = (languages: string[]) => ({ says: '', source: 'en', engines: [{ engine: 'Apertium', languages }], untranslated: [] });

test('languages stand under their own names, those that are translated here first', () => {
  assert.deepEqual(['es', 'de', 'el'].map(ownName), ['Español', 'Deutsch', 'Ελληνικά']);
  const { here, marked } = choices(['es', 'ca', 'en', 'de', 'ar'], apertium(['es', 'ca']));
  assert.deepEqual(here.map(({ code }) => code), ['ca', 'en', 'es']);
  assert.deepEqual(marked.map(({ code }) => code).sort(), ['ar', 'de']);
});

test('a telephone gets its own language where it is offered', () => {
  assert.equal(preferred(['', 'pt-BR', 'es-MX', 'en'], ['en', 'es']), 'es');
  assert.equal(preferred(['xx'], ['en']), undefined);
});

test('scripts from the right run from the right', () => {
  assert.deepEqual(['ar', 'he', 'ur', 'fa', 'es', 'ja'].map(direction), ['rtl', 'rtl', 'rtl', 'rtl', 'ltr', 'ltr']);
});

test('the page says who translates, and does not pretend when nobody does', () => {
  assert.match(standsIn(apertium(['es'])), /Apertium stands in/);
  assert.match(standsIn({ ...apertium([]), engines: [] }), /No translator is installed/);
});

const voice = { rms: 0.1, peak: 0.4 };

test('the meter says that it hears nothing only after it has listened for a while', () => {
  const ear = new Ear(0);
  assert.equal(ear.take({ rms: 0, peak: 0 }, 100), 'listening');
  assert.equal(ear.take({ rms: 0, peak: 0 }, 4_000), 'silent');
  assert.equal(ear.take(voice, 4_100), 'good');
  assert.equal(ear.take({ rms: 0, peak: 0 }, 7_000), 'good', 'people pause between sentences');
  assert.equal(ear.take({ rms: 0, peak: 0 }, 8_200), 'silent');
});

test('the meter tells a soft voice from silence, and remembers that the sound was cut off', () => {
  const ear = new Ear(0);
  assert.equal(ear.take({ rms: 0.004, peak: 0.02 }, 4_000), 'soft');
  assert.equal(ear.take({ rms: 0.2, peak: 1 }, 4_100), 'clips');
  assert.equal(ear.take(voice, 6_000), 'clips', 'long enough to be read');
  assert.equal(ear.take(voice, 8_200), 'good');
});

test('the bar is empty for silence, full for full scale, and between for a voice', () => {
  assert.equal(bar({ rms: 0, peak: 0 }), 0);
  assert.equal(bar({ rms: 1, peak: 1 }), 1);
  assert.ok(bar(voice) > 0.5 && bar(voice) < 0.8);
});

test('the link that is shared names the session and leaves the language to each telephone', () => {
  assert.equal(linkTo('calm-river-001', 'http://192.168.1.20:8400/listen/'), 'http://192.168.1.20:8400/listen/?session=calm-river-001');
});

test('a QR code is drawn module by module', () => {
  assert.equal(pathOf([[true, false], [false, true]]), 'M0 0h1v1h-1zM1 1h1v1h-1z');
});

test('a caption carries its language and its direction, and the original that stands for a translation its own', () => {
  const caption = (change: Partial<Caption>) => { const { lang, dir } = written({ ...golden, ...change }); return [lang, dir]; };
  assert.deepEqual(caption({ language: 'ar' }), ['ar', 'rtl']);
  assert.deepEqual(caption({ language: 'he' }), ['he', 'rtl']);
  assert.deepEqual(caption({ language: 'ar', degraded: true, sourceLanguage: 'en' }), ['en', 'ltr']);
  assert.deepEqual(caption({ language: 'en', degraded: true, sourceLanguage: 'ar' }), ['ar', 'rtl']);
});

test('what stands and what may still change are together the text, in languages with spaces and without', () => {
  const parts = (change: Partial<Caption>) => { const { firm, loose } = written({ ...golden, isFinal: false, ...change }); return [firm, loose]; };
  assert.deepEqual(parts({ text: '我们用 Amazon Web', stableWords: 2, stableChars: 10 }), ['我们用 Amazon', ' Web']);
  assert.deepEqual(parts({ text: 'こんにちは世界', stableWords: 0, stableChars: 5 }), ['こんにちは', '世界']);
  assert.deepEqual(parts({ text: 'Buenos días a', stableWords: 2 }), ['Buenos días', ' a'], 'of a worker that tells words alone');
  assert.deepEqual(parts({ text: 'Amén.', isFinal: true, stableWords: 0 }), ['Amén.', '']);
});
