import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Match, type Template } from 'aws-cdk-lib/assertions';
import { INFRA, WORKSPACE } from '../lib/app.ts';
import { ENVIRONMENTS, OPEN_INDEXES, parseConfig } from '../lib/config.ts';
import { CONTAINER, LISTENERS_INDEX } from '../lib/names.ts';
import { passes } from './event-pattern.ts';
import { app, controllerEnvironment, only, template, workerEnvironment } from './support.ts';

/** A constant of the Rust sources: the one truth about names that both sides use. */
function rust(file: string, module: string, constant: string): string {
  const source = readFileSync(join(WORKSPACE, file), 'utf8');
  const body = source.slice(source.indexOf(`pub mod ${module} {`));
  const value = new RegExp(`pub const ${constant}: &str = "([^"]+)"`).exec(body)?.[1];
  assert.ok(value, `${file} has no ${module}::${constant}`);
  return value;
}

const workers = (constant: string): string => rust('schemas/src/table.rs', 'workers', constant);

test('the_table_has_the_keys_and_the_index_that_the_crates_name', () => {
  template('dev').hasResourceProperties('AWS::DynamoDB::Table', {
    TableName: 'SessionWorkers-dev',
    BillingMode: 'PAY_PER_REQUEST',
    KeySchema: [
      { AttributeName: workers('SESSION_ID'), KeyType: 'HASH' },
      { AttributeName: workers('RECORD'), KeyType: 'RANGE' },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: workers('BY_SHARD'),
        KeySchema: [
          { AttributeName: workers('SHARD'), KeyType: 'HASH' },
          { AttributeName: workers('NEXT_LOOK_AT'), KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
    AttributeDefinitions: Match.arrayWith([{ AttributeName: workers('NEXT_LOOK_AT'), AttributeType: 'N' }]),
    TimeToLiveSpecification: { AttributeName: workers('TTL'), Enabled: true },
    PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
  });
  assert.equal(LISTENERS_INDEX, rust('schemas/src/table.rs', 'connections', 'BY_SESSION'));
});

test('a_deployed_stack_goes_to_the_new_index_one_index_at_a_time', () => {
  const indexes = OPEN_INDEXES.map((openIndex) => {
    const of = template('dev', { openIndex });
    const { GlobalSecondaryIndexes: found } = only<{ GlobalSecondaryIndexes: { IndexName: string }[] }>(of, 'AWS::DynamoDB::Table');
    assert.equal(controllerEnvironment(of).get('OPEN_INDEX'), openIndex);
    return found.map(({ IndexName }) => IndexName);
  });
  const [old, both, now] = [[workers('BY_DUE')], [workers('BY_DUE'), workers('BY_SHARD')], [workers('BY_SHARD')]];
  assert.deepEqual(indexes, [old, both, now]);
});

test('the_open_udp_ports_are_the_ports_that_the_worker_binds', () => {
  for (const ports of ['50000-50031', '41000-41001']) {
    const of = template('dev', { icePorts: ports });
    const { SecurityGroupIngress: rules } = only<{ SecurityGroupIngress: { FromPort: number; ToPort: number; IpProtocol: string }[] }>(of, 'AWS::EC2::SecurityGroup');
    assert.deepEqual(rules.map((rule) => `${rule.IpProtocol} ${rule.FromPort}-${rule.ToPort}`), [`udp ${ports}`]);
    assert.equal(workerEnvironment(of).get('ICE_PORTS'), ports);
  }
});

/** The two stream mappings by their logical ids. */
function mappingOf(of: Template, id: 'Sessions' | 'Rows'): { readonly [key: string]: unknown; readonly FilterCriteria: { Filters: { Pattern: string }[] } } {
  const found = Object.entries(of.findResources('AWS::Lambda::EventSourceMapping')).find(([logical]) => logical.startsWith(`Controller${id}`));
  assert.ok(found, id);
  return found[1]['Properties'] as ReturnType<typeof mappingOf>;
}

test('both_stream_mappings_lose_nothing_and_never_block_for_long', () => {
  const of = template('dev');
  of.resourceCountIs('AWS::Lambda::EventSourceMapping', 3);
  of.resourcePropertiesCountIs('AWS::Lambda::EventSourceMapping', {
    StartingPosition: 'TRIM_HORIZON',
    BisectBatchOnFunctionError: true,
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    MaximumRetryAttempts: 5,
    MaximumRecordAgeInSeconds: 3600,
    MetricsConfig: { Metrics: ['EventCount'] },
  }, 2);
});

test('a_timer_reaches_the_controller_when_it_is_due_and_a_lost_or_late_one_is_forgotten', () => {
  const of = template('dev');
  const [[id, queue] = []] = Object.entries(of.findResources('AWS::SQS::Queue', { Properties: { QueueName: 'session-timers-dev' } }));
  assert.ok(id);
  of.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    EventSourceArn: { 'Fn::GetAtt': [id, 'Arn'] }, BatchSize: 10, FunctionResponseTypes: ['ReportBatchItemFailures'], ScalingConfig: { MaximumConcurrency: 4 },
  });
  const { MessageRetentionPeriod: kept, VisibilityTimeout: hidden, RedrivePolicy: dead } = queue?.['Properties'] as Record<string, unknown>;
  const { Timeout: invocation } = only<{ Timeout: number }>(of, 'AWS::Lambda::Function');
  assert.deepEqual([kept, dead], [300, undefined]);
  assert.ok(Number(hidden) >= invocation, 'nobody else gets a message while an invocation has it');
  assert.deepEqual(controllerEnvironment(of).get('TIMER_QUEUE'), { Ref: id });
});

test('an_invocation_ends_before_the_next_tick_and_so_does_the_lease_of_its_sweep', () => {
  const { Timeout: invocation } = only<{ Timeout: number }>(template('prod'), 'AWS::Lambda::Function');
  const source = readFileSync(join(WORKSPACE, 'controller/src/lease.rs'), 'utf8');
  const apart = Number(/const CLOCKS_APART_MS: i64 = ([\d_]+);/.exec(source)?.[1]?.replaceAll('_', ''));
  assert.ok(apart > 0 && invocation * 1_000 + apart < 60_000, `${invocation} s and ${apart} ms`);
});

test('a_discarded_record_is_kept_whole_in_a_bucket_of_ours_and_forgotten_in_time', () => {
  const of = template('dev');
  const [[id, bucket] = []] = Object.entries(of.findResources('AWS::S3::Bucket'));
  for (const mapping of ['Sessions', 'Rows'] as const) {
    assert.deepEqual(mappingOf(of, mapping)['DestinationConfig'], { OnFailure: { Destination: { 'Fn::GetAtt': [id, 'Arn'] } } });
  }
  const properties = JSON.stringify(bucket);
  for (const said of ['"ExpirationInDays":14', '"SSEAlgorithm":"AES256"', '"BlockPublicAcls":true', '"RestrictPublicBuckets":true']) assert.ok(properties.includes(said), said);
  assert.match(JSON.stringify(of.findResources('AWS::S3::BucketPolicy')), /"aws:SecureTransport":"false"/);
});

interface SessionRecord {
  readonly what: string;
  readonly wakes: boolean;
  readonly record: Record<string, unknown>;
}

test('their_stream_wakes_the_controller_for_every_record_that_a_run_can_need_and_for_no_other', () => {
  const records = JSON.parse(readFileSync(join(INFRA, 'test/fixtures/session-records.json'), 'utf8')) as SessionRecord[];
  const patterns = mappingOf(template('dev'), 'Sessions').FilterCriteria.Filters.map(({ Pattern }) => JSON.parse(Pattern) as Record<string, unknown>);
  assert.ok(patterns.length <= 5, 'Lambda takes five filters');
  assert.ok(records.length > 20);
  for (const { what, wakes, record } of records) assert.equal(patterns.some((pattern) => passes(pattern, record)), wakes, what);
});

test('a_wish_and_the_end_of_a_row_wake_the_controller_and_a_heartbeat_does_not', () => {
  const patterns = mappingOf(template('dev'), 'Rows').FilterCriteria.Filters.map((filter) => JSON.parse(filter.Pattern) as unknown);
  assert.deepEqual(patterns, [
    { eventName: ['INSERT'], dynamodb: { Keys: { record: { S: [{ prefix: rust('schemas/src/table.rs', 'workers', 'ORDER') }] } } } },
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

test('limits_are_those_of_the_crates', () => {
  const source = readFileSync(join(WORKSPACE, 'schemas/src/limits.rs'), 'utf8');
  const limit = (name: string): number => {
    const value = new RegExp(`pub const ${name}: \\w+ = (?:Duration::from_secs\\()?([\\d_]+)`).exec(source)?.[1];
    assert.ok(value, `limits.rs has no ${name}`);
    return Number(value.replaceAll('_', ''));
  };
  const { ContainerDefinitions: [worker] } = only<{ ContainerDefinitions: { StopTimeout: number }[] }>(template('dev'), 'AWS::ECS::TaskDefinition');
  assert.equal(worker?.StopTimeout, limit('FARGATE_STOP_TIMEOUT'));
  const { quotas } = parseConfig('dev', { account: '111122223333', region: 'us-east-1', sessionsStreamArn: 'ssm:/x', webSocketApiId: 'abc' }, 'test');
  assert.deepEqual(quotas, { transcribeStreams: limit('TRANSCRIBE_STREAMS_OF_A_NEW_ACCOUNT'), postsPerSecond: limit('API_GATEWAY_REQUESTS_PER_SECOND') });
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

test('a_crashed_worker_begins_again_in_its_task_and_one_that_chose_to_end_does_not', () => {
  const source = readFileSync(join(WORKSPACE, 'schemas/src/worker.rs'), 'utf8');
  const chosen = /pub const CHOSEN_EXITS: \[u8; \d+\] = \[([^\]]+)\]/.exec(source)?.[1] ?? '';
  const value = (word: string): number => Number(/^\d+$/.test(word) ? word : new RegExp(`pub const ${word}: u8 = (\\d+);`).exec(source)?.[1]);
  const codes = chosen.split(',').map((word) => value(word.trim()));
  assert.ok(codes.length >= 4 && codes.every(Number.isInteger), `${codes}`);
  const { ContainerDefinitions: [worker] } = only<{ ContainerDefinitions: { RestartPolicy: unknown }[] }>(template('prod'), 'AWS::ECS::TaskDefinition');
  assert.deepEqual(worker?.RestartPolicy, { Enabled: true, IgnoredExitCodes: codes, RestartAttemptPeriod: 60 });
  const limits = readFileSync(join(WORKSPACE, 'schemas/src/limits.rs'), 'utf8');
  assert.equal(Number(/RESTART_ATTEMPT_PERIOD_LEAST: Duration = Duration::from_secs\((\d+)\)/.exec(limits)?.[1]), 60);
});

test('a_worker_has_the_smallest_size_that_the_benchmarks_justify', () => {
  const of = template('prod');
  of.hasResourceProperties('AWS::ECS::TaskDefinition', { Cpu: '256', Memory: '512', RequiresCompatibilities: ['FARGATE'] });
  // docs/benchmarks.md, "One session, whole": a quarter of a core and half a gigabyte leave room for ten times what was measured.
  const benchmarks = readFileSync(join(WORKSPACE, 'docs/benchmarks.md'), 'utf8');
  const cpu = Number(/worker: processor time per minute of audio \| ([\d.]+) s/.exec(benchmarks)?.[1]);
  const memory = Number(/worker: peak memory \| ([\d.]+) MiB/.exec(benchmarks)?.[1]);
  assert.ok(cpu > 0 && cpu * 10 <= 0.25 * 60, `${cpu} s a minute`);
  assert.ok(memory > 0 && memory * 10 <= 512, `${memory} MiB`);
});

test('workers_run_on_spot_where_that_is_wanted', () => {
  const capacity = (context: Record<string, string>): unknown[] => {
    const of = template('dev', context);
    return [controllerEnvironment(of).get('CAPACITY'), only<{ CapacityProviders?: string[] }>(of, 'AWS::ECS::Cluster').CapacityProviders];
  };
  assert.deepEqual(capacity({}), ['FARGATE', undefined]);
  assert.deepEqual(capacity({ spot: 'true' }), ['FARGATE_SPOT', ['FARGATE', 'FARGATE_SPOT']]);
});

test('an_image_is_taken_by_digest', () => {
  const { ContainerDefinitions: [worker] } = only<{ ContainerDefinitions: { Image: string }[] }>(template('prod'), 'AWS::ECS::TaskDefinition');
  assert.match(worker?.Image ?? '', /@sha256:[0-9a-f]{64}$/);
});

test('tables_are_read_through_gateway_endpoints', () => {
  const endpoints = Object.values(template('dev').findResources('AWS::EC2::VPCEndpoint')).map((found) => JSON.stringify(found['Properties']));
  assert.equal(endpoints.filter((text) => text.includes('"Gateway"')).length, 2);
  for (const service of ['.dynamodb', '.s3']) assert.ok(endpoints.some((text) => text.includes(service)), service);
});

test('the_controller_is_bounded_traced_and_its_logs_are_forgotten', () => {
  const of = template('prod');
  of.hasResourceProperties('AWS::Lambda::Function', { ReservedConcurrentExecutions: 10, TracingConfig: { Mode: 'Active' }, Timeout: 55 });
  of.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 90 });
  const free = only<Record<string, unknown>>(template('dev', { controllerConcurrency: '0' }), 'AWS::Lambda::Function');
  assert.equal(free['ReservedConcurrentExecutions'], undefined);
});

test('whatever_fails_behind_an_event_is_kept_too', () => {
  const of = template('dev');
  of.hasResourceProperties('AWS::Lambda::EventInvokeConfig', { DestinationConfig: { OnFailure: { Destination: Match.anyValue() } }, MaximumRetryAttempts: 1 });
  of.resourcePropertiesCountIs('AWS::Events::Rule', { Targets: [Match.objectLike({ DeadLetterConfig: Match.anyValue() })] }, 2);
  of.hasResourceProperties('AWS::SQS::Queue', { SqsManagedSseEnabled: true, MessageRetentionPeriod: 14 * 86_400 });
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

/** What the emulator refuses to deploy: two types, and alarms on expressions. */
const unknownToTheEmulator = (found: { Type: string; Properties?: object }): boolean =>
  ['AWS::CloudWatch::CompositeAlarm', 'AWS::Logs::QueryDefinition'].includes(found.Type)
  || (found.Type === 'AWS::CloudWatch::Alarm' && 'Metrics' in (found.Properties ?? {}));

test('the_local_template_is_the_deployed_one_but_for_its_values_and_what_the_emulator_does_not_know', () => {
  const resources = (env: 'local' | 'dev') => Object.values(template(env).toJSON()['Resources'] as Record<string, { Type: string; Properties?: object }>);
  const types = (of: { Type: string }[]): string[] => of.map(({ Type }) => Type).sort();
  assert.deepEqual(types(resources('local')), types(resources('dev').filter((found) => !unknownToTheEmulator(found))));
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
  assert.deepEqual(readdirSync(join(directory, asset, 'tests')).sort(), ['Cargo.toml', 'hostile', 'proof', 'skipped']);
  for (const member of ['hostile', 'proof', 'skipped']) assert.deepEqual(readdirSync(join(directory, asset, 'tests', member)), ['Cargo.toml']);
  // Cargo reads the manifest of every member before it builds one.
  const [, members] = /^members = \[(.*)\]$/m.exec(readFileSync(join(directory, asset, 'Cargo.toml'), 'utf8')) ?? [];
  for (const [, member] of members!.matchAll(/"([^"]+)"/g)) assert.ok(existsSync(join(directory, asset, member!, 'Cargo.toml')), member);
  assert.ok(existsSync(join(directory, asset, 'worker/Dockerfile')));
});
