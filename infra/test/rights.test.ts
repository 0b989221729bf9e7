import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Validations, type App } from 'aws-cdk-lib';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { AwsSolutionsChecks } from 'cdk-nag';
import { WORKSPACE } from '../lib/app.ts';
import { allow } from '../lib/iam.ts';
import { calledActions } from './sdk-calls.ts';
import { ACCOUNT, actionsOf, app, stackOf, statements, template } from './support.ts';

/** Rights of the controller's role that no call of its code needs, each with who needs it. */
const NOT_CALLED_BY_CONTROLLER: Readonly<Record<string, string>> = {
  'dynamodb:DescribeStream': "Lambda's poller", 'dynamodb:GetRecords': "Lambda's poller", 'dynamodb:GetShardIterator': "Lambda's poller",
  'dynamodb:ListStreams': "Lambda's poller", 'ecs:TagResource': 'RunTask with tags', 'iam:PassRole': 'RunTask with roles',
  'logs:CreateLogStream': "Lambda's logs", 'logs:PutLogEvents': "Lambda's logs", 's3:ListBucket': "Lambda's failure destination",
  's3:PutObject': "Lambda's failure destination", 'sqs:DeleteMessage': "Lambda's poller", 'sqs:GetQueueAttributes': "Lambda's poller",
  'sqs:ReceiveMessage': "Lambda's poller",
  'xray:PutTelemetryRecords': "Lambda's traces", 'xray:PutTraceSegments': "Lambda's traces",
};
/** Calls of the worker that no operation of the SDK makes: it signs the address of the channel's WebSocket itself. */
const SIGNED_BY_HAND = { action: 'kinesisvideo:ConnectAsViewer', in: 'worker/signaling/src/presign.rs', by: 'X-Amz-ClientId' };
const DELETE_CHANNEL = 'kinesisvideo:DeleteSignalingChannel';

test('cdk_nag_finds_nothing_in_any_environment', () => {
  for (const env of ['dev', 'staging', 'prod'] as const) assert.doesNotThrow(() => app(env).synth(), env);
  assert.doesNotThrow(() => app('dev', { channelCleanup: 'true' }).synth(), 'channelCleanup');
});

function local(): App {
  const made = app('local');
  Validations.of(made).addPlugins(new AwsSolutionsChecks(made));
  return made;
}

test('cdk_nag_finds_nothing_in_the_local_template', () => {
  assert.doesNotThrow(() => local().synth());
});

test('cdk_nag_is_awake', () => {
  for (const awake of [app('dev'), local()]) {
    new Bucket(stackOf(awake), 'Open');
    assert.throws(() => awake.synth(), /validation failed/i);
  }
});

test('a_grant_without_a_reason_for_its_wildcard_is_refused', () => {
  const stack = stackOf(app('dev'));
  const role = new Role(stack, 'Some', { assumedBy: new ServicePrincipal('ecs.amazonaws.com') });
  assert.throws(() => allow(role, { sid: 'X', actions: ['s3:GetObject'], resources: ['*'] }), /wildcard without a reason/);
});

test('every_statement_says_what_it_is_for', () => {
  for (const { policy, statement } of statements(template('prod'))) assert.ok(statement.Sid, `${policy}: ${JSON.stringify(statement.Action)}`);
});

test('no_statement_of_a_role_allows_all_actions_of_a_service', () => {
  for (const { policy, statement } of statements(template('prod'))) {
    if (statement.Effect !== 'Allow') continue;
    for (const action of [statement.Action].flat()) assert.ok(!action.includes('*'), `${policy}: ${action}`);
  }
});

test('the_worker_may_do_what_its_code_calls_and_nothing_else', () => {
  const calls = calledActions('worker/src', 'worker/signaling/src');
  assert.ok(calls.includes('transcribe:StartStreamTranscription') && calls.includes('execute-api:ManageConnections'), calls.join(', '));
  assert.ok(readFileSync(join(WORKSPACE, SIGNED_BY_HAND.in), 'utf8').includes(SIGNED_BY_HAND.by));
  assert.deepEqual(actionsOf(template('dev'), /TaskRole/), [...calls, SIGNED_BY_HAND.action].sort());
});

test('the_controller_may_do_what_its_code_calls_and_nothing_else', () => {
  const calls = calledActions('controller/src');
  assert.ok(calls.includes('events:PutEvents') && calls.includes(DELETE_CHANNEL), calls.join(', '));
  assert.deepEqual(actionsOf(template('dev', { channelCleanup: 'true' }), /^ControllerRole/), [...calls, ...Object.keys(NOT_CALLED_BY_CONTROLLER)].sort());
});

test('tags_are_given_only_because_a_launch_has_tags', () => {
  assert.match(readFileSync(join(WORKSPACE, 'controller/src/ecs/mod.rs'), 'utf8'), /\.set_tags\(/);
  const tag = statements(template('dev')).filter(({ statement }) => [statement.Action].flat().includes('ecs:TagResource'));
  assert.deepEqual(tag.map(({ statement }) => statement.Condition), [{ StringEquals: { 'ecs:CreateAction': 'RunTask' } }]);
});

test('channels_may_be_deleted_only_where_that_is_wanted', () => {
  assert.ok(!actionsOf(template('dev'), /^ControllerRole/).includes(DELETE_CHANNEL));
  const found = statements(template('dev', { channelCleanup: 'true' })).filter(({ statement }) => statement.Action === DELETE_CHANNEL);
  assert.deepEqual(found.map(({ statement }) => statement.Sid), ['DeleteChannelsOfEndedRuns']);
  assert.match(JSON.stringify(found[0]?.statement.Resource), /:channel\/session-\*\/\*/);
});

test('rows_are_queried_by_session_and_by_what_is_due', () => {
  const queried = statements(template('dev')).filter(({ policy, statement }) => /^ControllerRole/.test(policy) && [statement.Action].flat().includes('dynamodb:Query'));
  assert.deepEqual(queried.map(({ statement }) => statement.Sid).sort(), ['FindDueRows', 'KeepRows']);
  assert.match(JSON.stringify(queried.find(({ statement }) => statement.Sid === 'FindDueRows')?.statement.Resource), /index\/byShard/);
  const migrating = statements(template('dev', { openIndex: 'both' })).find(({ statement }) => statement.Sid === 'FindDueRows');
  for (const index of [/index\/byShard/, /index\/byDue/]) assert.match(JSON.stringify(migrating?.statement.Resource), index);
});

test('events_are_put_on_our_bus_only', () => {
  const events = statements(template('dev')).filter(({ statement }) => /"events:/.test(JSON.stringify(statement.Action)));
  assert.equal(events.length, 1);
  assert.match(JSON.stringify(events[0]?.statement.Resource), /EventsBus.*Arn/);
});

test('the_controller_reads_their_sessions_and_writes_only_our_rows', () => {
  const writes = statements(template('dev')).filter(({ statement }) => [statement.Action].flat().some((action) => /dynamodb:(Put|Update|Delete)/.test(action)));
  // The worker deletes the rows of connections that answered 410, as the session service does.
  const ours = writes.filter(({ statement }) => statement.Sid !== 'ForgetListeners');
  for (const { statement } of ours) assert.match(JSON.stringify(statement.Resource), /StateTable/);
  assert.ok(writes.length > 0);
});

test('tasks_are_started_stopped_and_seen_on_our_cluster_only', () => {
  const ecs = statements(template('dev')).filter(({ statement }) => /ecs:(RunTask|StopTask|ListTasks)/.test(JSON.stringify(statement.Action)));
  assert.equal(ecs.length, 3);
  for (const { statement } of ecs) assert.match(JSON.stringify(statement.Condition), /ecs:cluster/);
});

test('listeners_are_posted_to_on_one_api_and_stage', () => {
  const of = template('dev', { webSocketApiId: 'abc123', webSocketStage: 'prod' });
  const post = statements(of).find(({ statement }) => statement.Sid === 'PostToListeners');
  assert.match(JSON.stringify(post?.statement.Resource), new RegExp(`execute-api:us-east-1:${ACCOUNT}:abc123/prod/POST/@connections/\\*`));
});
