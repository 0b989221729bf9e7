import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validations, type App } from 'aws-cdk-lib';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { AwsSolutionsChecks } from 'cdk-nag';
import { allow } from '../lib/iam.ts';
import { ACCOUNT, app, stackOf, statements, template } from './support.ts';

function actionsOf(policy: RegExp): string[] {
  return statements(template('dev'))
    .filter((entry) => policy.test(entry.policy))
    .flatMap(({ statement }) => statement.Action)
    .sort();
}

test('cdk_nag_finds_nothing_in_any_environment', () => {
  for (const env of ['dev', 'staging', 'prod'] as const) assert.doesNotThrow(() => app(env).synth(), env);
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

test('a_worker_may_do_its_own_work_and_nothing_else', () => {
  assert.deepEqual(actionsOf(/TaskRole/), [
    'dynamodb:DeleteItem', 'dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem', 'execute-api:ManageConnections',
    'kinesisvideo:ConnectAsViewer',
    'kinesisvideo:DescribeSignalingChannel', 'kinesisvideo:GetDataEndpoint', 'kinesisvideo:GetIceServerConfig', 'kinesisvideo:GetMedia',
    'kinesisvideo:GetSignalingChannelEndpoint', 'transcribe:StartStreamTranscription', 'translate:TranslateText',
  ]);
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
