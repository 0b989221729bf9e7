import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Row } from '../src/api.ts';
import { age, spans } from '../src/operator.ts';

const golden = JSON.parse(readFileSync(new URL('../../../../schemas/golden/worker-row.json', import.meta.url), 'utf8')) as Row;

test('the phases of a launch follow one another without a gap, and the last one reaches to now', () => {
  const now = golden.phaseSince + 60_000;
  const parts = spans(golden, now);
  assert.deepEqual(parts.map(({ phase }) => phase), ['Launching', 'Joining', 'WaitingForSpeaker', 'Live']);
  for (const [index, part] of parts.entries()) assert.equal(part.to, parts[index + 1]?.from ?? now);
});

test('a launch that never came to speak shows what it came to', () => {
  const failed = { ...golden, phase: 'Failed', worker: null };
  assert.deepEqual(spans(failed, golden.phaseSince + 60_000).map(({ phase }) => phase), ['Launching', 'Failed']);
});

test('ages are short', () => {
  assert.deepEqual([0, 61_000, 600_000, 7_200_000].map(age), ['0 s', '61 s', '10 min', '2 h']);
});
