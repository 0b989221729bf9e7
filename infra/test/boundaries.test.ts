// What the roles may touch, decided as IAM decides it: each call that the binaries make on what is theirs, and the same call one step
// beyond. (The emulator does not enforce IAM.)
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allows, type Request } from './policy.ts';
import { calledActions } from './sdk-calls.ts';
import { ACCOUNT, template } from './support.ts';

const of = template('dev', { webSocketApiId: 'abc123', channelCleanup: 'true', sessionsStreamArn: `arn:aws:dynamodb:us-east-1:${ACCOUNT}:table/Sessions-dev/stream/2026` });
const arn = (service: string, rest: string, account = ACCOUNT): string => `arn:aws:${service}:us-east-1:${account}:${rest}`;
const table = (name: string): string => arn('dynamodb', `table/${name}`);
const cluster = (env: string): Record<string, string> => ({ 'ecs:cluster': arn('ecs', `cluster/session-workers-${env}`) });
const task = (env: string): string => arn('ecs', `task/session-workers-${env}/0123456789abcdef`);
const role = (id: RegExp): string => {
  const found = Object.keys(of.findResources('AWS::IAM::Role')).find((name) => id.test(name));
  assert.ok(found, String(id));
  return `arn:aws:iam::${ACCOUNT}:role/${found}`;
};

/** Each with what the call is made on, and what it must not reach. */
type Cases = readonly (readonly [action: string, may: readonly Omit<Request, 'action'>[], mayNot: readonly Omit<Request, 'action'>[]])[];

const CONTROLLER: Cases = [
  ['dynamodb:GetItem', [{ resource: table('Sessions-dev') }, { resource: table('SessionWorkers-dev') }], [{ resource: table('Sessions-prod') }, { resource: table('Connections-dev') }]],
  ['dynamodb:Scan', [{ resource: table('Sessions-dev') }], [{ resource: table('SessionWorkers-dev') }, { resource: table('Connections-dev') }]],
  ['dynamodb:PutItem', [{ resource: table('SessionWorkers-dev') }], [{ resource: table('Sessions-dev') }, { resource: table('SessionWorkers-prod') }]],
  ['dynamodb:UpdateItem', [{ resource: table('SessionWorkers-dev') }], [{ resource: table('Sessions-dev') }, { resource: table('Connections-dev') }]],
  ['dynamodb:Query', [{ resource: `${table('SessionWorkers-dev')}/index/byDue` }, { resource: table('SessionWorkers-dev') }], [{ resource: `${table('Connections-dev')}/index/x` }]],
  ['ecs:RunTask', [{ resource: arn('ecs', 'task-definition/session-worker-dev:7'), context: cluster('dev') }], [
    { resource: arn('ecs', 'task-definition/session-worker-prod:7'), context: cluster('dev') },
    { resource: arn('ecs', 'task-definition/session-worker-dev:7'), context: cluster('prod') },
    { resource: arn('ecs', 'task-definition/anything:1'), context: cluster('dev') },
  ]],
  ['ecs:StopTask', [{ resource: task('dev'), context: cluster('dev') }], [{ resource: task('prod'), context: cluster('prod') }]],
  ['ecs:DescribeTasks', [{ resource: task('dev'), context: cluster('dev') }], [{ resource: task('prod'), context: cluster('prod') }]],
  ['ecs:ListTasks', [{ resource: '*', context: cluster('dev') }], [{ resource: '*', context: cluster('prod') }, { resource: '*' }]],
  ['ecs:TagResource', [{ resource: task('dev'), context: { 'ecs:CreateAction': 'RunTask' } }], [{ resource: task('dev') }, { resource: task('prod'), context: { 'ecs:CreateAction': 'RunTask' } }]],
  ['iam:PassRole', [/TaskRole/, /ExecutionRole/].map((id) => ({ resource: role(id), context: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } })), [
    { resource: role(/ControllerRole/), context: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
    { resource: role(/TaskRole/), context: { 'iam:PassedToService': 'lambda.amazonaws.com' } },
  ]],
  ['events:DescribeEventBus', [{ resource: arn('events', 'event-bus/session-workers-dev') }], [{ resource: arn('events', 'event-bus/default') }]],
  ['events:PutEvents', [{ resource: arn('events', 'event-bus/session-workers-dev') }], [{ resource: arn('events', 'event-bus/default') }]],
  ['kinesisvideo:DeleteSignalingChannel', [{ resource: arn('kinesisvideo', 'channel/session-calm-river-123/1700000000000') }], [{ resource: arn('kinesisvideo', 'channel/doorbell/1700000000000') }]],
  ['dynamodb:GetRecords', [{ resource: `${table('Sessions-dev')}/stream/2026` }, { resource: `${table('SessionWorkers-dev')}/stream/2026` }], [{ resource: `${table('Sessions-prod')}/stream/2026` }]],
  ['logs:PutLogEvents', [{ resource: arn('logs', 'log-group:/session-workers/dev/controller:log-stream:x') }], [{ resource: arn('logs', 'log-group:/session-workers/dev/worker:log-stream:x') }]],
];

const WORKER: Cases = [
  ['dynamodb:GetItem', [{ resource: table('SessionWorkers-dev') }], [{ resource: table('Sessions-dev') }, { resource: table('SessionWorkers-prod') }]],
  ['dynamodb:UpdateItem', [{ resource: table('SessionWorkers-dev') }], [{ resource: table('Sessions-dev') }, { resource: table('Connections-dev') }]],
  ['dynamodb:Query', [{ resource: `${table('Connections-dev')}/index/sessionId-targetLanguage-index` }], [{ resource: table('Connections-dev') }, { resource: table('SessionWorkers-dev') }]],
  ['dynamodb:DeleteItem', [{ resource: table('Connections-dev') }], [{ resource: table('Sessions-dev') }, { resource: table('SessionWorkers-dev') }, { resource: table('Connections-prod') }]],
  ['execute-api:ManageConnections', [{ resource: arn('execute-api', 'abc123/prod/POST/@connections/XYZ=') }], [
    { resource: arn('execute-api', 'abc123/prod/DELETE/@connections/XYZ=') }, { resource: arn('execute-api', 'other/prod/POST/@connections/XYZ=') },
    { resource: arn('execute-api', 'abc123/dev/POST/@connections/XYZ=') },
  ]],
  ...['ConnectAsViewer', 'GetIceServerConfig', 'GetSignalingChannelEndpoint'].map((name) => [`kinesisvideo:${name}`,
    [{ resource: arn('kinesisvideo', 'channel/session-calm-river-123/1700000000000') }],
    [{ resource: arn('kinesisvideo', 'channel/doorbell/1700000000000') }, { resource: arn('kinesisvideo', 'channel/session-calm-river-123/1700000000000', '444455556666') }],
  ] as const),
  ...['GetDataEndpoint', 'GetMedia'].map((name) => [`kinesisvideo:${name}`,
    [{ resource: arn('kinesisvideo', 'stream/hall/1700000000000') }], [{ resource: arn('kinesisvideo', 'channel/session-calm-river-123/1700000000000') }],
  ] as const),
  ['transcribe:StartStreamTranscription', [{ resource: '*' }], []],
  ['translate:TranslateText', [{ resource: '*' }], []],
];

function decide(policy: RegExp, cases: Cases): void {
  for (const [action, may, mayNot] of cases) {
    for (const request of may) assert.ok(allows(of, policy, { action, ...request }), `${action} on ${request.resource} is refused`);
    for (const request of mayNot) assert.ok(!allows(of, policy, { action, ...request }), `${action} on ${JSON.stringify(request)} is allowed`);
  }
}

test('the_controller_reaches_what_is_its_own_and_nothing_beyond', () => decide(/^ControllerRole/, CONTROLLER));
test('the_worker_reaches_what_is_its_own_and_nothing_beyond', () => decide(/TaskRole/, WORKER));

test('every_call_of_the_binaries_is_decided_here', () => {
  const decided = (cases: Cases): string[] => cases.map(([action]) => action);
  for (const action of calledActions('controller/src')) assert.ok(decided(CONTROLLER).includes(action), action);
  for (const action of calledActions('worker/src', 'worker/signaling/src')) assert.ok(decided(WORKER).includes(action), action);
});
