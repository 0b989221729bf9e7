// What the page decides by itself, without a browser.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { AudioQualityWarningMessage, Caption } from '../../../../schemas/front-end/messages.ts';
import { words } from '../src/notices.ts';
import { proves } from '../src/recovery.ts';

const golden = <T>(name: string) => JSON.parse(readFileSync(new URL(`../../../../schemas/golden/${name}.json`, import.meta.url), 'utf8')) as T;
const warning = golden<AudioQualityWarningMessage>('speaker.audioQualityWarning');
const caption = golden<Caption>('transcription.final');
/** The golden caption's last word was spoken then. */
const SPOKEN = caption.timestamp - caption.lagMs;

test('a warning to the speaker says what was measured and how much is fine', () => {
  assert.deepEqual(words(warning), { name: 'Noise', good: false, measured: '12.5 dB below the voice, 20 is fine' });
  const lost = { ...warning, issue: 'packet_loss' as const, value: 13.04, details: { threshold: 5 } };
  assert.deepEqual(words(lost), { name: 'Packets lost', good: false, measured: '13 %, up to 5 is fine' });
});

test('what only a newer worker tells is shown by its own name', () => {
  const unknown = { ...warning, issue: 'thunder', details: {} } as unknown as AudioQualityWarningMessage;
  assert.equal(words(unknown).name, 'thunder');
});

test('words that were spoken before something was broken prove no recovery', () => {
  assert.ok(proves('cut-transcribe', caption, { at: SPOKEN - 1, generation: 1 }));
  assert.ok(!proves('cut-transcribe', caption, { at: SPOKEN, generation: 1 }), 'it was on its way');
  assert.ok(!proves('cut-transcribe', { ...caption, catchUp: true }, { at: SPOKEN - 1, generation: 1 }), 'it is said again');
  assert.ok(!proves('tab-gone', caption, { at: Infinity, generation: 1 }), 'the speaker has not come back');
});

test('a killed worker is over when the next one writes, a throttled Translate when a sentence is translated', () => {
  const before = { at: SPOKEN - 1, generation: 1 };
  assert.ok(!proves('kill-worker', caption, before));
  assert.ok(proves('kill-worker', { ...caption, generation: 2 }, before));
  assert.ok(!proves('throttle-translate', { ...caption, degraded: true }, before));
  assert.ok(!proves('throttle-translate', { ...caption, isFinal: false }, before));
  assert.ok(proves('throttle-translate', caption, before));
});
