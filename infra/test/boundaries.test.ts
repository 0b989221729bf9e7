// What the roles may touch, decided as IAM decides it: each call that the binaries make on what is theirs, and the same call one step
// beyond. `scripts/deploy-check` asks the same of the deployed roles.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { INFRA } from '../lib/app.ts';
import { allows, type Request } from './policy.ts';
import { calledActions } from './sdk-calls.ts';
import { ACCOUNT, template } from './support.ts';

const of = template('dev', { webSocketApiId: 'abc123', channelCleanup: 'true', sessionsStreamArn: `arn:aws:dynamodb:us-east-1:${ACCOUNT}:table/Sessions-dev/stream/2026` });
const role = (id: RegExp): string => {
  const found = Object.keys(of.findResources('AWS::IAM::Role')).find((name) => id.test(name));
  assert.ok(found, String(id));
  return `arn:aws:iam::${ACCOUNT}:role/${found}`;
};
const undelivered = Object.keys(of.findResources('AWS::SQS::Queue')).find((name) => /Undelivered/.test(name));
const stream = (table: string): string => `arn:aws:dynamodb:us-east-1:${ACCOUNT}:table/${table}/stream/2026`;
const NAMES: Readonly<Record<string, string>> = {
  account: ACCOUNT, region: 'us-east-1', env: 'dev', other: 'prod', api: 'abc123', stage: 'prod', sessionsStream: stream('Sessions-dev'), rowsStream: stream('SessionWorkers-dev'),
  taskRole: role(/TaskRole/), executionRole: role(/ExecutionRole/), controllerRole: role(/^ControllerRole/), undeliveredQueue: `arn:aws:sqs:us-east-1:${ACCOUNT}:${undelivered}`,
};

type Where = Omit<Request, 'action'>;
interface Right {
  readonly action: string;
  /** What the call is made on. */
  readonly may: readonly Where[];
  /** What it must not reach. */
  readonly mayNot: readonly Where[];
}

/** The list that `scripts/deploy-check` and `sessionctl preflight` take too, with the names of this template. */
const RIGHTS = JSON.parse(readFileSync(join(INFRA, 'rights.json'), 'utf8').replace(/\{(\w+)\}/g, (_, name: string) => {
  const value = NAMES[name];
  assert.ok(value, `rights.json: {${name}} is the name of nothing`);
  return value;
})) as { readonly controller: readonly Right[]; readonly worker: readonly Right[] };

function decide(policy: RegExp, rights: readonly Right[]): void {
  for (const { action, may, mayNot } of rights) {
    for (const request of may) assert.ok(allows(of, policy, { action, ...request }), `${action} on ${request.resource} is refused`);
    for (const request of mayNot) assert.ok(!allows(of, policy, { action, ...request }), `${action} on ${JSON.stringify(request)} is allowed`);
  }
}

test('the_controller_reaches_what_is_its_own_and_nothing_beyond', () => decide(/^ControllerRole/, RIGHTS.controller));
test('the_worker_reaches_what_is_its_own_and_nothing_beyond', () => decide(/TaskRole/, RIGHTS.worker));

test('every_call_of_the_binaries_is_decided_here', () => {
  const decided = (rights: readonly Right[]): string[] => rights.filter(({ may }) => may.length > 0).map(({ action }) => action);
  for (const action of calledActions('controller/src')) assert.ok(decided(RIGHTS.controller).includes(action), action);
  for (const action of calledActions('worker/src', 'worker/signaling/src')) assert.ok(decided(RIGHTS.worker).includes(action), action);
});
