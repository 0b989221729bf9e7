import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Match } from 'aws-cdk-lib/assertions';
import { WORKSPACE } from '../lib/app.ts';
import { ENVIRONMENTS } from '../lib/config.ts';
import { CONTAINER, LISTENERS_INDEX } from '../lib/names.ts';
import { app, controllerEnvironment, only, template, workerEnvironment } from './support.ts';

/** A constant of the Rust sources: the one truth about names that both sides use. */
function rust(file: string, module: string, constant: string): string {
  const source = readFileSync(join(WORKSPACE, file), 'utf8');
  const body = source.slice(source.indexOf(`pub mod ${module} {`));
  const value = new RegExp(`pub const ${constant}: &str = "([^"]+)"`).exec(body)?.[1];
  assert.ok(value, `${file} has no ${module}::${constant}`);
  return value;
}

test('the_table_has_the_keys_and_the_index_that_the_crates_name', () => {
  const name = (constant: string): string => rust('schemas/src/table.rs', 'workers', constant);
  const of = template('dev');
  of.hasResourceProperties('AWS::DynamoDB::Table', {
    TableName: 'SessionWorkers-dev',
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: [
      { AttributeName: name('SESSION_ID'), KeyType: 'HASH' },
      { AttributeName: name('RECORD'), KeyType: 'RANGE' },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: name('BY_DUE'),
        KeySchema: [
          { AttributeName: name('OPEN'), KeyType: 'HASH' },
          { AttributeName: name('NEXT_LOOK_AT'), KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'ALL' },
      },
    ],
    AttributeDefinitions: Match.arrayWith([{ AttributeName: name('NEXT_LOOK_AT'), AttributeType: 'N' }]),
    TimeToLiveSpecification: { AttributeName: name('TTL'), Enabled: true },
    PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
  });
  assert.equal(LISTENERS_INDEX, rust('schemas/src/table.rs', 'connections', 'BY_SESSION'));
});

test('the_open_udp_ports_are_the_ports_that_the_worker_binds', () => {
  for (const ports of ['50000-50031', '41000-41001']) {
    const of = template('dev', { icePorts: ports });
    const { SecurityGroupIngress: rules } = only<{ SecurityGroupIngress: { FromPort: number; ToPort: number; IpProtocol: string }[] }>(of, 'AWS::EC2::SecurityGroup');
    assert.deepEqual(rules.map((rule) => `${rule.IpProtocol} ${rule.FromPort}-${rule.ToPort}`), [`udp ${ports}`]);
    assert.equal(workerEnvironment(of).get('ICE_PORTS'), ports);
  }
});

test('the_stream_mapping_loses_nothing_and_never_blocks_for_long', () => {
  template('dev').hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    StartingPosition: 'TRIM_HORIZON',
    BisectBatchOnFunctionError: true,
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    MaximumRetryAttempts: 5,
    MaximumRecordAgeInSeconds: 3600,
    DestinationConfig: { OnFailure: { Destination: Match.anyValue() } },
  });
});

test('a_wish_and_the_end_of_a_row_wake_the_controller_and_a_heartbeat_does_not', () => {
  const mappings = Object.values(template('dev').findResources('AWS::Lambda::EventSourceMapping'));
  const filtered = mappings.map((found) => found['Properties'] as { FilterCriteria?: { Filters: { Pattern: string }[] } }).filter((found) => found.FilterCriteria !== undefined);
  assert.equal(filtered.length, 1, 'their stream is not filtered: rows that nobody foresaw are told too');
  const patterns = filtered[0]?.FilterCriteria?.Filters.map((filter) => JSON.parse(filter.Pattern)) ?? [];
  assert.deepEqual(patterns, [
    { eventName: ['INSERT'], dynamodb: { Keys: { record: { S: [{ prefix: rust('schemas/src/table.rs', 'workers', 'WISH') }] } } } },
    { eventName: ['INSERT'], dynamodb: { Keys: { record: { S: ['current'] } }, NewImage: { phase: { S: ['Stopped', 'Failed'] } } } },
    {
      eventName: ['MODIFY'],
      dynamodb: {
        Keys: { record: { S: ['current'] } },
        OldImage: { phase: { S: [{ 'anything-but': ['Stopped', 'Failed'] }] } },
        NewImage: { phase: { S: ['Stopped', 'Failed'] } },
      },
    },
  ]);
});

test('only_our_tasks_wake_the_controller_and_only_when_they_start_or_stop', () => {
  template('dev').hasResourceProperties('AWS::Events::Rule', {
    EventPattern: {
      'source': ['aws.ecs'],
      'detail-type': ['ECS Task State Change'],
      'detail': { clusterArn: [Match.anyValue()], group: ['family:session-worker-dev'], lastStatus: ['RUNNING', 'STOPPED'] },
    },
    Targets: [Match.objectLike({ DeadLetterConfig: Match.anyValue() })],
  });
});

test('the_controller_looks_every_minute_without_any_event', () => {
  template('dev').hasResourceProperties('AWS::Events::Rule', { ScheduleExpression: 'rate(1 minute)', State: 'ENABLED' });
});

test('a_worker_has_no_rights_in_its_container_and_time_to_say_goodbye', () => {
  template('dev').hasResourceProperties('AWS::ECS::TaskDefinition', {
    Family: 'session-worker-dev',
    NetworkMode: 'awsvpc',
    ContainerDefinitions: [
      Match.objectLike({
        Name: CONTAINER,
        User: '65532:65532',
        ReadonlyRootFilesystem: true,
        StopTimeout: 120,
        LinuxParameters: { Capabilities: { Drop: ['ALL'] } },
      }),
    ],
  });
});

test('one_value_decides_the_architecture_of_function_and_task', () => {
  for (const [architecture, task] of [['arm64', 'ARM64'], ['x86_64', 'X86_64']] as const) {
    const of = template('dev', { architecture });
    of.hasResourceProperties('AWS::Lambda::Function', { Architectures: [architecture], Runtime: 'provided.al2023', Handler: 'bootstrap' });
    of.hasResourceProperties('AWS::ECS::TaskDefinition', { RuntimePlatform: { CpuArchitecture: task, OperatingSystemFamily: 'LINUX' } });
  }
});

test('workers_run_in_public_subnets_without_a_nat', () => {
  const of = template('prod');
  of.resourceCountIs('AWS::EC2::NatGateway', 0);
  of.resourceCountIs('AWS::EC2::Subnet', 2);
  of.resourceCountIs('AWS::EC2::VPCEndpoint', 2);
  assert.equal(controllerEnvironment(of).get('ASSIGN_PUBLIC_IP'), 'ENABLED');
});

test('the_controller_tells_what_happens_on_a_bus_of_its_environment', () => {
  const of = template('dev');
  const [[id] = []] = Object.entries(of.findResources('AWS::Events::EventBus', { Properties: { Name: 'session-workers-dev' } }));
  assert.ok(id, 'no bus');
  // A reference, so that the bus exists before the function that looks it up.
  assert.deepEqual(controllerEnvironment(of).get('EVENT_BUS'), { Ref: id });
  assert.equal(controllerEnvironment(of).get('SESSION_ENV'), 'dev');
});

test('the_switches_are_off_until_somebody_wants_them_on', () => {
  const switches = (context: Record<string, string>): unknown[] => {
    const given = controllerEnvironment(template('dev', context));
    return [given.get('ROLLOUT'), given.get('CHANNEL_CLEANUP')];
  };
  assert.deepEqual(switches({}), ['off', 'off']);
  assert.deepEqual(switches({ rollout: 'true' }), ['on', 'off']);
  assert.deepEqual(switches({ channelCleanup: 'true' }), ['off', 'on']);
});

test('production_cannot_be_deleted_by_accident_and_dev_leaves_nothing', () => {
  template('prod').hasResource('AWS::DynamoDB::Table', { DeletionPolicy: 'Retain', Properties: Match.objectLike({ DeletionProtectionEnabled: true }) });
  template('dev').hasResource('AWS::DynamoDB::Table', { DeletionPolicy: 'Delete', Properties: Match.objectLike({ DeletionProtectionEnabled: false }) });
  template('dev').allResources('AWS::Logs::LogGroup', { DeletionPolicy: 'Delete' });
});

test('their_values_come_from_parameters_at_deploy_time', () => {
  const parameters = Object.values(template('dev').findParameters('*')) as { Default?: string }[];
  const names = parameters.map((parameter) => parameter.Default);
  assert.ok(names.includes('/session-service/dev/sessions-stream-arn'));
  assert.ok(names.includes('/session-service/dev/websocket-api-id'));
});

test('the_local_template_is_the_deployed_one_but_for_its_values', () => {
  const shape = (env: 'local' | 'dev'): string[] => Object.values(template(env).toJSON()['Resources'] as Record<string, { Type: string }>).map((r) => r.Type).sort();
  assert.deepEqual(shape('local'), shape('dev'));
  assert.equal(workerEnvironment(template('local')).get('ICE_BIND'), '127.0.0.1');
});

test('nothing_is_exported_and_no_custom_resource_sneaks_in', () => {
  for (const env of ENVIRONMENTS) {
    const json = JSON.stringify(template(env).toJSON());
    assert.ok(!json.includes('"Export"'), env);
    assert.ok(!json.includes('AWS::CloudFormation::CustomResource') && !json.includes('"Custom::'), env);
    assert.ok(!json.includes('ClusterCapacityProviderAssociations'), env);
  }
});

test('the_image_is_built_from_the_crates_and_nothing_else', () => {
  const dev = app('dev', { workerImage: '' });
  const { directory } = dev.synth();
  const asset = readdirSync(directory).find((name) => name.startsWith('asset.') && existsSync(join(directory, name, 'Cargo.lock')));
  assert.ok(asset, 'no image asset was staged');
  const staged = readdirSync(join(directory, asset)).sort();
  assert.deepEqual(staged, ['.dockerignore', 'Cargo.lock', 'Cargo.toml', 'controller', 'infra', 'rust-toolchain.toml', 'schemas', 'tests', 'worker']);
  assert.deepEqual(readdirSync(join(directory, asset, 'infra/local')), ['Cargo.toml']);
  assert.deepEqual(readdirSync(join(directory, asset, 'tests')), ['Cargo.toml']);
  assert.ok(existsSync(join(directory, asset, 'worker/Dockerfile')));
});
