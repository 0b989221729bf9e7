import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { INFRA } from '../lib/app.ts';
import { ConfigError, ENVIRONMENTS, loadConfig, parseConfig, type Environment } from '../lib/config.ts';

const STREAM = 'arn:aws:dynamodb:eu-west-1:111122223333:table/Sessions-dev/stream/2026-01-01T00:00:00.000';
const DEV = { account: '111122223333', region: 'eu-west-1', sessionsStreamArn: STREAM, webSocketApiId: 'abc123' };

function refuses(change: Record<string, unknown>, message: RegExp, env: Environment = 'dev'): void {
  assert.throws(
    () => parseConfig(env, { ...DEV, ...change }, 'config/dev.json'),
    (error) => error instanceof ConfigError && !error.message.includes('\n') && message.test(error.message),
  );
}

test('a_small_config_is_complete_by_its_defaults', () => {
  const config = parseConfig('dev', DEV, 'config/dev.json');
  assert.equal(config.architecture, 'arm64');
  assert.equal(config.sessionsTable, 'Sessions-dev');
  assert.equal(config.connectionsTable, 'Connections-dev');
  assert.deepEqual(config.icePorts, { first: 50000, last: 50031 });
  assert.deepEqual(config.webSocket, { apiId: { literal: 'abc123' }, stage: 'prod' });
  assert.equal(config.retain, false);
  assert.deepEqual([config.rollout, config.channelCleanup], [false, false]);
});

test('production_keeps_its_table_unless_told_otherwise', () => {
  const stream = STREAM.replace('Sessions-dev', 'Sessions-prod');
  assert.equal(parseConfig('prod', { ...DEV, sessionsStreamArn: stream }, 'config/prod.json').retain, true);
});

test('a_misspelt_key_is_named', () => {
  refuses({ acount: '1' }, /^config\/dev\.json: acount: unknown key; the keys are account, /);
  refuses({ worker: { cpu: 256, memory: 512 } }, /worker\.memory: unknown key/);
});

test('every_wrong_value_names_its_key_and_what_is_right', () => {
  refuses({ account: '12' }, /^config\/dev\.json: account: "12": expected the 12 digits/);
  refuses({ region: 'Ireland' }, /region: "Ireland": expected a region/);
  refuses({ architecture: 'arm' }, /architecture: "arm": expected one of arm64, x86_64/);
  refuses({ icePorts: '50031-50000' }, /icePorts: .*FIRST <= LAST/);
  refuses({ icePorts: 50000 }, /icePorts: 50000: expected FIRST-LAST/);
  refuses({ iceBind: 'eth0' }, /iceBind: "eth0": expected an IPv4 address/);
  refuses({ worker: { cpu: 256, memoryMiB: 4096 } }, /worker\.memoryMiB: 4096: with cpu 256 Fargate takes 512, 1024, 2048/);
  refuses({ partials: 'all' }, /partials: "all": expected one of finals, sentences, clauses, live/);
  refuses({ logRetentionDays: 31 }, /logRetentionDays: 31: expected one of/);
  refuses({ retain: 'yes' }, /retain: "yes": expected true or false/);
  refuses({ rollout: 'on' }, /rollout: "on": expected true or false/);
  refuses({ channelCleanup: 1 }, /channelCleanup: 1: expected true or false/);
  refuses({ spot: 'yes' }, /spot: "yes": expected true or false/);
  refuses({ controllerConcurrency: -1 }, /controllerConcurrency: -1: expected a whole number from 0 to 1000/);
  refuses({ quotas: { streams: 1 } }, /quotas\.streams: unknown key; the keys are transcribeStreams, postsPerSecond/);
  refuses({ quotas: { transcribeStreams: 0 } }, /quotas\.transcribeStreams: 0: expected a whole number/);
  refuses({ budgetPerHour: '5' }, /budgetPerHour: "5": expected a whole number/);
  refuses({ runbook: 'a b' }, /runbook: "a b": expected a path or URL/);
  refuses({ controllerCode: 'http://x' }, /controllerCode: .*s3:\/\/bucket\/key\.zip/);
  refuses({ sessionsStreamArn: undefined }, /sessionsStreamArn: missing; expected the stream ARN/);
  refuses({ webSocketApiId: undefined }, /webSocketApiId: missing/);
});

test('an_untouched_example_is_refused', () => {
  refuses({ account: '000000000000' }, /account: still the placeholder 000000000000: put the account of dev there/);
  for (const env of ['dev', 'staging', 'prod']) {
    const fromExample = (key: string): unknown => (key === 'config' ? `${env}.json.example` : undefined);
    assert.throws(() => loadConfig(env, join(INFRA, 'config'), fromExample), /still the placeholder/);
  }
});

test('a_stream_of_another_environment_is_refused', () => {
  refuses({ sessionsStreamArn: STREAM.replace('Sessions-dev', 'Sessions-prod') }, /is of table Sessions-prod, but sessionsTable is Sessions-dev/);
  refuses({ sessionsStreamArn: STREAM.replace('eu-west-1', 'us-east-1') }, /is in region us-east-1, but region is eu-west-1/);
  refuses({ sessionsStreamArn: STREAM.replace('111122223333', '444455556666') }, /is of account 444455556666, but account is 111122223333/);
  refuses({ sessionsStreamArn: 'arn:aws:kinesis:eu-west-1:111122223333:stream/x' }, /expected the stream ARN of the Sessions table/);
});

test('the_api_is_read_from_the_endpoint_when_the_endpoint_contains_it', () => {
  const from = (webSocketEndpoint: string) => parseConfig('dev', { ...DEV, webSocketApiId: undefined, webSocketEndpoint }, 'config/dev.json').webSocket;
  assert.deepEqual(from('https://abc123.execute-api.eu-west-1.amazonaws.com/prod').apiId, { literal: 'abc123' });
  assert.equal(from('http://127.0.0.1:4566/_aws/execute-api/abc123/dev').stage, 'dev');
  refuses({ webSocketApiId: undefined, webSocketEndpoint: 'https://ws.example.com/prod' }, /does not contain the API's id/);
  refuses({ webSocketEndpoint: 'wss://abc123.execute-api.eu-west-1.amazonaws.com/prod' }, /webSocketEndpoint: .*expected https:\/\/HOST\/STAGE/);
});

test('a_missing_file_says_what_to_copy', () => {
  const none = (): undefined => undefined;
  assert.throws(() => loadConfig('dev', '/nonexistent', none), /config\/dev\.json does not exist: copy config\/dev\.json\.example/);
  assert.throws(() => loadConfig('qa', '/nonexistent', none), /-c env: "qa": expected one of dev, staging, prod, local/);
  assert.throws(() => loadConfig(undefined, '/nonexistent', none), /-c env: missing/);
});

test('the_command_line_lies_over_the_file', () => {
  const given: Record<string, string> = {
    sessionsStreamArn: 'ssm:/x', webSocketApiId: 'abc123', worker: '{"cpu":1024,"memoryMiB":2048}', logRetentionDays: '7', iceBind: '127.0.0.2',
    rollout: 'true',
  };
  const config = loadConfig('local', join(INFRA, 'config'), (key) => given[key]);
  assert.deepEqual(config.sessionsStreamArn, { parameter: '/x' });
  assert.deepEqual(config.worker, { cpu: 1024, memoryMiB: 2048 });
  assert.equal(config.logRetentionDays, 7);
  assert.equal(config.iceBind, '127.0.0.2');
  assert.equal(config.rollout, true);
  assert.ok(ENVIRONMENTS.includes(config.environment));
});

test('an_image_is_named_by_its_digest_because_a_tag_is_whatever_was_pushed_last', () => {
  const repository = '111122223333.dkr.ecr.eu-west-1.amazonaws.com/session-worker';
  const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
  for (const image of [`${repository}@${digest}`, `${repository}:v7@${digest}`]) {
    assert.equal(parseConfig('dev', { ...DEV, workerImage: image }, 'config/dev.json').workerImage, image);
  }
  for (const image of [`${repository}:latest`, `${repository}:v7`, `${repository}@sha256:0123`]) {
    refuses({ workerImage: image }, /workerImage: .* names no digest: expected REPOSITORY@sha256:DIGEST/);
  }
  assert.equal(parseConfig('local', { ...DEV, sessionsStreamArn: STREAM.replace('-dev', '-local'), workerImage: 'session-worker:local' }, 'test').workerImage, 'session-worker:local');
});
