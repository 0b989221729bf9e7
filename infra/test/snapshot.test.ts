// The whole template of production, as it was last looked at: a change that nobody meant is seen in review.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { INFRA } from '../lib/app.ts';
import { template } from './support.ts';

const FILE = join(INFRA, 'test/snapshots/prod.json');
const UPDATE = 'UPDATE_SNAPSHOT=1 npm --prefix infra test';

test('the_template_of_production_is_the_one_that_was_looked_at', () => {
  const now = `${JSON.stringify(template('prod').toJSON(), null, 1)}\n`;
  if (process.env['UPDATE_SNAPSHOT'] !== undefined) writeFileSync(FILE, now);
  const known = existsSync(FILE) ? readFileSync(FILE, 'utf8') : '';
  const [before, after] = [known.split('\n'), now.split('\n')];
  const first = after.findIndex((line, at) => line !== before[at]);
  assert.ok(known === now, `test/snapshots/prod.json, line ${first + 1}: ${before[first]?.trim()} became ${after[first]?.trim()}; if it is meant, run \`${UPDATE}\` and commit it`);
});
