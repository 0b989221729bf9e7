import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Parser } from '@asyncapi/parser';
import { FILE, types } from '../scripts/types.ts';

const DOCUMENT = readFileSync(new URL('../../json/asyncapi.json', import.meta.url), 'utf8');
const problems = async (text: string): Promise<string[]> => {
  const { diagnostics } = await new Parser().parse(text);
  // 0 is an error, 1 a warning; what is left are hints (a newer version of AsyncAPI, no contact).
  return diagnostics.filter(({ severity }) => severity <= 1).map(({ message, path }) => `${path.join('.')}: ${message}`);
};

test('the document is valid AsyncAPI', async () => {
  assert.deepEqual(await problems(DOCUMENT), []);
});

test('a document that is none is found out', async () => {
  const lost = DOCUMENT.replace('#/components/schemas/Caption"', '#/components/schemas/Nothing"');
  assert.match((await problems(lost)).join('\n'), /Nothing' does not exist/);
  assert.match((await problems(DOCUMENT.replace('"address": "/"', '"address": 7'))).join('\n'), /address/);
});

test('the committed types are those of the document', async () => {
  assert.equal(readFileSync(FILE, 'utf8'), await types(), 'run `npm run generate` and commit messages.ts');
});
