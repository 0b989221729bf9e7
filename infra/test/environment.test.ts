// The binaries and the template agree on every variable: names are read from the sources of the binaries.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { WORKSPACE } from '../lib/app.ts';
import { controllerEnvironment, template, workerEnvironment } from './support.ts';

/** Given with each launch, not by the template. */
const LAUNCH = ['SESSION_ID', 'GENERATION'];
/** Given by the platform (ECS, Lambda, the SDK's own). */
const PLATFORM = /^(AWS_|ECS_|_X_|_HANDLER|LAMBDA_)/;

/** Where a binary reads its environment. */
const READERS = ['src/config.rs', 'src/config/environment.rs', 'src/telemetry.rs'];

/** Names of variables in the sources of a crate: string literals in upper case. Unit tests at the end of a file do not count. */
function read(crate: string): string[] {
  const names = READERS.map((file) => join(WORKSPACE, crate, file)).filter(existsSync).flatMap((path) => {
    const [code = ''] = readFileSync(path, 'utf8').split('#[cfg(test)]');
    return [...code.matchAll(/"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)"/g)].map((match) => match[1] ?? '');
  });
  return [...new Set(names)].filter((name) => !LAUNCH.includes(name) && !PLATFORM.test(name));
}

/** `values` are literals in upper case that name no variable. */
function agree(crate: string, given: Map<string, unknown>, values: readonly string[]): void {
  const names = read(crate).filter((name) => !values.includes(name));
  const set = [...given.keys()].filter((name) => !PLATFORM.test(name));
  assert.deepEqual(names.filter((name) => !given.has(name)), [], `${crate} reads what the template does not set`);
  assert.deepEqual(set.filter((name) => !names.includes(name)), [], `the template sets what ${crate} does not read`);
}

test('the_controller_is_given_every_variable_that_it_reads_and_no_other', () => {
  agree('controller', controllerEnvironment(template('dev')), ['ENABLED', 'DISABLED', 'FARGATE', 'FARGATE_SPOT']);
});

test('the_worker_is_given_every_variable_that_it_reads_and_no_other', () => {
  agree('worker', workerEnvironment(template('dev')), []);
});

test('no_variable_is_empty', () => {
  const of = template('prod');
  for (const [name, value] of [...controllerEnvironment(of), ...workerEnvironment(of)]) {
    assert.ok(value !== undefined && value !== '', name);
  }
});
