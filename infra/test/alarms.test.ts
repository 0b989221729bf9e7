// Each alarm is proved on numbers: it fires on those that it is for, one short of them it does not, and neither a good hour nor an
// empty night wakes anybody.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isInAlarm, type AlarmProperties, type Dimension, type Told } from './alarm-rule.ts';
import { WORKSPACE } from '../lib/app.ts';
import { HEADROOM_PERCENT, PRICES } from '../lib/alarms.ts';
import { QUERIES } from '../lib/queries.ts';
import { template } from './support.ts';

const HOUR = 60;
const PREFIX = 'session-workers-prod-';
const QUOTAS = { 'AWS/Usage/ResourceCount': 6 };

const prod = template('prod');
const alarms = new Map(
  Object.values(prod.findResources('AWS::CloudWatch::Alarm')).map((found) => {
    const properties = found['Properties'] as AlarmProperties;
    return [properties.AlarmName.slice(PREFIX.length), properties] as const;
  }),
);

/** The same values in each of so many minutes. */
const each = (minutes: number, ...values: number[]): number[][] => Array.from({ length: minutes }, () => values);
/** Nothing, and then this. */
const after = (...minutes: number[][]): number[][] => [...each(HOUR - minutes.length), ...minutes];
/** A number each minute, and in the last ones another. */
const at = (usual: number, ...last: number[]): number[][] => [...each(HOUR - last.length, usual), ...last.map((value) => [value])];
const times = (count: number, value: number): number[] => Array.from({ length: count }, () => value);

/** Ten sessions, each with three languages and 40 listeners; somebody else's Fargate tasks in the account. */
const GOOD_HOUR: Told = {
  'SessionWorkers/SweepDuration': each(HOUR, 180),
  'SessionWorkers/QueueDepth': each(HOUR, 0),
  'SessionWorkers/OpenSessions': each(HOUR, 10),
  'SessionWorkers/Looks': each(HOUR, 20),
  'SessionWorkers/Launches': after([1], [], [2]),
  'SessionWorkers/Stops': after([1], []),
  'SessionWorkers/LagP50': each(HOUR, ...times(30, 700)),
  'SessionWorkers/LagP95': each(HOUR, ...times(30, 1_300)),
  'SessionWorkers/LongestWait': each(HOUR, ...times(10, 900)),
  'SessionWorkers/Degraded': each(HOUR, ...times(10, 0)),
  'SessionWorkers/Posts': each(HOUR, ...times(10, 4_800)),
  'SessionWorkers/PostsFailed': each(HOUR, ...times(10, 20)),
  'SessionWorkers/TranscribedSeconds': each(HOUR, ...times(10, 55)),
  'SessionWorkers/TranslatedCharacters': each(HOUR, ...times(10, 2_000)),
  'AWS/Lambda/Errors': each(HOUR, 0),
  'AWS/Lambda/Throttles': each(HOUR, 0),
  'AWS/Lambda/IteratorAge': each(HOUR, 300),
  'AWS/SQS/ApproximateNumberOfMessagesVisible': each(HOUR, 0),
  'AWS/Lambda/OnFailureDestinationDeliveredEventCount': each(HOUR, 0),
  'AWS/Usage/ResourceCount': each(HOUR, 2.5),
  'AWS/DynamoDB/WriteThrottleEvents': after([3], []),
  'AWS/DynamoDB/ReadThrottleEvents': after([3], []),
};
/** Nobody speaks: only the sweep tells of itself. */
const EMPTY_NIGHT: Told = { 'SessionWorkers/SweepDuration': each(HOUR, 60), 'SessionWorkers/QueueDepth': each(HOUR, 0) };

/** What each alarm is for, and the worst that it must let pass. */
const CASES: Readonly<Record<string, { readonly fires: Told; readonly passes: Told }>> = {
  'controller-silent': { fires: { 'SessionWorkers/SweepDuration': [...each(HOUR - 3, 180), [], [], []] }, passes: { 'SessionWorkers/SweepDuration': [...each(HOUR - 2, 180), [], []] } },
  'controller-errors': { fires: { 'AWS/Lambda/Errors': at(0, 1, 0, 2, 0, 1) }, passes: { 'AWS/Lambda/Errors': at(0, 4, 0, 0, 0, 9) } },
  'controller-throttled': { fires: { 'AWS/Lambda/Throttles': at(0, 1, 1, 1) }, passes: { 'AWS/Lambda/Throttles': at(0, 50, 0, 3, 0, 0) } },
  'looks-fail': { fires: { 'SessionWorkers/LookErrors': after([3], [1, 2], [3], [5]) }, passes: { 'SessionWorkers/LookErrors': after([2], [2], [2], [2], [2]) } },
  'launches-fail': { fires: { 'SessionWorkers/LaunchFailures': after([1], [], [1], [], [1]) }, passes: { 'SessionWorkers/LaunchFailures': after([8], [], [], [], [1]) } },
  'sessions-failed': { fires: { 'SessionWorkers/Failures': after([1]) }, passes: { 'SessionWorkers/Failures': after([1], []) } },
  'version-bad': { fires: { 'SessionWorkers/BadVersions': after([1]) }, passes: { 'SessionWorkers/BadVersions': after([1], []) } },
  'events-undelivered': { fires: { 'AWS/SQS/ApproximateNumberOfMessagesVisible': at(0, 1) }, passes: { 'AWS/SQS/ApproximateNumberOfMessagesVisible': at(0, 1, 0) } },
  'records-discarded': { fires: { 'AWS/Lambda/OnFailureDestinationDeliveredEventCount': after([1]) }, passes: { 'AWS/Lambda/OnFailureDestinationDeliveredEventCount': after([0]) } },
  'records-unreadable': { fires: { 'SessionWorkers/PoisonRecords': after([1]) }, passes: { 'SessionWorkers/PoisonRecords': after([1], []) } },
  'writes-refused': { fires: { 'AWS/DynamoDB/WriteThrottleEvents': after([1], [4]) }, passes: { 'AWS/DynamoDB/WriteThrottleEvents': after([900], [], []) } },
  'reads-refused': { fires: { 'AWS/DynamoDB/ReadThrottleEvents': after([1], [1], [4]) }, passes: { 'AWS/DynamoDB/ReadThrottleEvents': after([900], [9]) } },
  'bus-refuses': { fires: { 'SessionWorkers/EventErrors': after([1], [2], [1]) }, passes: { 'SessionWorkers/EventErrors': after([9], [9]) } },
  'captions-late': { fires: { 'SessionWorkers/LagP50': at(700, 2_100, 2_100, 700, 2_100) }, passes: { 'SessionWorkers/LagP50': at(700, 9_000, 2_000, 2_000, 2_000, 9_000) } },
  'captions-late-for-some': { fires: { 'SessionWorkers/LagP95': at(1_300, 4_100, 4_100, 4_100) }, passes: { 'SessionWorkers/LagP95': at(1_300, 30_000, 4_000, 4_000, 4_000, 30_000) } },
  'sessions-wait': { fires: { 'SessionWorkers/QueueDepth': at(0, ...times(5, 1)) }, passes: { 'SessionWorkers/QueueDepth': [...at(0, 9, 9, 9, 9).slice(0, -1), [9, 0]] } },
  'stream-behind': { fires: { 'AWS/Lambda/IteratorAge': at(300, ...times(3, 31_000)) }, passes: { 'AWS/Lambda/IteratorAge': at(300, ...times(9, 30_000)) } },
  'sweep-slow': { fires: { 'SessionWorkers/SweepDuration': at(180, ...times(5, 55_000)) }, passes: { 'SessionWorkers/SweepDuration': at(180, 55_000, 55_000, 180, 55_000, 55_000) } },
  'words-stuck': { fires: { 'SessionWorkers/LongestWait': at(900, 31_000, 0, 95_000, 155_000) }, passes: { 'SessionWorkers/LongestWait': at(900, 90_000, 0, 30_000, 0, 90_000) } },
  'service-degraded': { fires: { 'SessionWorkers/Degraded': at(0, ...times(5, 1)) }, passes: { 'SessionWorkers/Degraded': at(0, 3, 3, 0, 3, 3) } },
  'posts-fail': { fires: { 'SessionWorkers/PostsFailed': at(20, ...times(3, 2_600)) }, passes: { 'SessionWorkers/PostsFailed': at(20, ...times(9, 2_500)) } },
  'workers-hang': { fires: { 'SessionWorkers/Stops': after([1], [1], [2]) }, passes: { 'SessionWorkers/Stops': after([9], [], [9], [], []) } },
  'spending-high': { fires: { 'SessionWorkers/TranscribedSeconds': each(HOUR, 2_000) }, passes: { 'SessionWorkers/TranscribedSeconds': each(HOUR, 600) } },
  'fargate-headroom': { fires: { 'AWS/Usage/ResourceCount': at(2.5, 4.8) }, passes: { 'AWS/Usage/ResourceCount': at(2.5, 4.7) } },
  'transcribe-headroom': { fires: { 'SessionWorkers/TranscribedSeconds': each(HOUR, ...times(20, 60)) }, passes: { 'SessionWorkers/TranscribedSeconds': each(HOUR, ...times(19, 60)) } },
  'posts-headroom': { fires: { 'SessionWorkers/Posts': at(48_000, 480_000, 480_000) }, passes: { 'SessionWorkers/Posts': at(48_000, 479_000, 479_000, 479_000) } },
};

function fired(told: Told): string[] {
  return [...alarms].filter(([, alarm]) => isInAlarm(alarm, told, QUOTAS)).map(([name]) => name);
}

test('every_alarm_has_its_case_and_every_case_its_alarm', () => {
  assert.deepEqual(Object.keys(CASES).sort(), [...alarms.keys()].sort());
});

test('every_alarm_fires_on_the_numbers_that_it_is_for_and_not_one_short_of_them', () => {
  for (const [name, { fires, passes }] of Object.entries(CASES)) {
    assert.ok(fired({ ...GOOD_HOUR, ...fires }).includes(name), `${name} stays silent`);
    assert.ok(!fired({ ...GOOD_HOUR, ...passes }).includes(name), `${name} cries wolf`);
  }
});

test('a_good_hour_and_an_empty_night_wake_nobody', () => {
  assert.deepEqual(fired(GOOD_HOUR), []);
  assert.deepEqual(fired(EMPTY_NIGHT), []);
});

test('a_controller_that_never_ran_is_noticed', () => {
  assert.deepEqual(fired({}), ['controller-silent']);
});

test('throttles_of_the_table_and_of_each_index_count_alike', () => {
  const dimensions = (name: string, context: Record<string, string>): string[] => {
    const found = Object.values(template('prod', context).findResources('AWS::CloudWatch::Alarm')).map((of) => of['Properties'] as AlarmProperties);
    const metrics = found.find((of) => of.AlarmName === `${PREFIX}${name}`)?.Metrics ?? [];
    return metrics.flatMap(({ MetricStat }) => (MetricStat?.Metric.Dimensions ?? []).filter((of) => of.Name === 'GlobalSecondaryIndexName').map((of) => String(of.Value)));
  };
  for (const name of ['writes-refused', 'reads-refused']) {
    assert.deepEqual(dimensions(name, {}), ['byShard']);
    assert.deepEqual(dimensions(name, { openIndex: 'both' }), ['byDue', 'byShard'], 'on the way over');
  }
});

test('the_head_room_leaves_a_fifth', () => {
  assert.equal(HEADROOM_PERCENT, 80);
  assert.equal(alarms.get('fargate-headroom')?.Threshold, 80);
  assert.equal(alarms.get('transcribe-headroom')?.Threshold, 0.8 * 25 * 300, 'seconds of 20 streams in 5 minutes');
  assert.equal(alarms.get('posts-headroom')?.Threshold, 0.8 * 10_000 * 60);
});

test('prices_are_those_of_the_operators_tool', () => {
  const source = readFileSync(join(WORKSPACE, 'controller/ctl/src/money.rs'), 'utf8');
  const price = (name: string): number => {
    const [, text = ''] = new RegExp(`pub const ${name}: f64 = ([^;]+);`).exec(source) ?? [];
    return text.split('/').map((part) => Number(part.replaceAll('_', ''))).reduce((a, b) => a / b);
  };
  assert.equal(PRICES.transcribedSecond, price('TRANSCRIBE_PER_MINUTE') / 60);
  assert.equal(PRICES.translatedCharacter, price('TRANSLATE_PER_CHARACTER'));
  assert.equal(PRICES.post, price('WEBSOCKET_PER_MESSAGE'));
});

/** Every metric of a namespace of ours, with its dimensions, in the alarms. */
function named(alarm: AlarmProperties): { name: string; dimensions: readonly Dimension[] }[] {
  const single = alarm.Namespace === 'SessionWorkers' ? [{ name: alarm.MetricName ?? '', dimensions: alarm.Dimensions ?? [] }] : [];
  const several = (alarm.Metrics ?? []).flatMap(({ MetricStat }) =>
    MetricStat?.Metric.Namespace === 'SessionWorkers' ? [{ name: MetricStat.Metric.MetricName, dimensions: MetricStat.Metric.Dimensions ?? [] }] : []);
  return [...single, ...several];
}

interface Published {
  readonly namespace: string;
  readonly dimension: string;
  readonly controller: readonly { readonly name: string }[];
  readonly worker: readonly { readonly name: string }[];
}
const published = JSON.parse(readFileSync(join(WORKSPACE, 'schemas/json/metrics.json'), 'utf8')) as Published;
const written = [...published.controller, ...published.worker].map(({ name }) => name);

function dashboard(): string {
  const [found] = Object.values(prod.findResources('AWS::CloudWatch::Dashboard'));
  const body: unknown = (found?.['Properties'] as { DashboardBody: unknown }).DashboardBody;
  return JSON.stringify(body).replaceAll('\\"', '"');
}

test('every_metric_that_an_alarm_names_is_written_by_a_binary_with_that_dimension', () => {
  const names = [...alarms.values()].flatMap(named);
  assert.ok(names.length > 10);
  for (const { name, dimensions } of names) {
    assert.ok(written.includes(name), `nobody writes ${name}`);
    assert.deepEqual(dimensions, [{ Name: published.dimension, Value: 'prod' }], name);
  }
});

test('the_dashboard_shows_every_metric_that_is_written_and_no_other', () => {
  const shown = [...dashboard().matchAll(/\["SessionWorkers","(\w+)","(\w+)","(\w+)"/g)];
  for (const [, name = '', dimension, value] of shown) assert.deepEqual([written.includes(name), dimension, value], [true, published.dimension, 'prod'], name);
  assert.deepEqual([...new Set(shown.map(([, name]) => name))].sort(), [...written].sort());
});

test('the_dashboard_asks_the_four_questions_in_order', () => {
  assert.deepEqual(dashboard().match(/## Is it \w+\?/g), ['## Is it up?', '## Is it late?', '## Is it stuck?', '## Is it dear?']);
});

const handbook = readFileSync(join(WORKSPACE, 'docs/operating.md'), 'utf8');

test('every_alarm_has_its_entry_in_the_runbook_and_every_entry_its_alarm', () => {
  const section = handbook.split('\n## ').find((text) => text.startsWith('Alarms\n')) ?? '';
  const entries = [...section.matchAll(/^#### (\S+)$/gm)].map((match) => match[1]);
  assert.deepEqual([...entries].sort(), [...alarms.keys()].sort());
  for (const [name, { AlarmDescription: description }] of alarms) assert.ok(description.endsWith(` Runbook: docs/operating.md#${name}`), description);
});

test('what_listeners_notice_rings_once_and_the_rest_waits_until_morning', () => {
  const [composite] = Object.values(prod.findResources('AWS::CloudWatch::CompositeAlarm'));
  const { AlarmRule, AlarmActions } = composite?.['Properties'] as { AlarmRule: unknown; AlarmActions: unknown[] };
  assert.match(JSON.stringify(AlarmActions), /ObservabilityPage/);
  const rule = JSON.stringify(AlarmRule);
  const logical = Object.entries(prod.findResources('AWS::CloudWatch::Alarm'));
  for (const [id, found] of logical) {
    const { AlarmName, AlarmActions: actions = [] } = found['Properties'] as AlarmProperties;
    const pages = rule.includes(`"${id}"`);
    assert.notEqual(pages, JSON.stringify(actions).includes('ObservabilityNotice'), `${AlarmName}: either it pages or it is noticed`);
  }
  assert.match(rule, /SessionsFailed/);
});

test('alarms_may_publish_and_only_over_tls', () => {
  for (const found of Object.values(prod.findResources('AWS::SNS::TopicPolicy'))) {
    const text = JSON.stringify(found);
    assert.match(text, /cloudwatch\.amazonaws\.com/);
    assert.match(text, /"aws:SecureTransport":"false"/);
  }
});

test('topics_are_encrypted_with_a_key_that_alarms_may_use', () => {
  const [[id, key] = [], ...others] = Object.entries(prod.findResources('AWS::KMS::Key'));
  assert.ok(id !== undefined && others.length === 0);
  const { EnableKeyRotation, KeyPolicy } = key?.['Properties'] as { EnableKeyRotation: boolean; KeyPolicy: { Statement: { Sid?: string }[] } };
  assert.ok(EnableKeyRotation);
  // The key that AWS manages lets no alarm publish, and with a condition on the caller this one would not either.
  assert.deepEqual(KeyPolicy.Statement.find(({ Sid }) => Sid === 'AlarmsEncrypt'), {
    Sid: 'AlarmsEncrypt', Effect: 'Allow', Principal: { Service: 'cloudwatch.amazonaws.com' }, Action: ['kms:Decrypt', 'kms:GenerateDataKey*'], Resource: '*',
  });
  const topics = Object.values(prod.findResources('AWS::SNS::Topic'));
  assert.equal(topics.length, 2);
  for (const topic of topics) assert.deepEqual((topic['Properties'] as { KmsMasterKeyId: unknown }).KmsMasterKeyId, { 'Fn::GetAtt': [id, 'Arn'] });
});

test('the_saved_queries_read_the_logs_of_the_environment', () => {
  const saved = Object.values(prod.findResources('AWS::Logs::QueryDefinition')).map((found) => found['Properties'] as { Name: string; LogGroupNames: string[] });
  assert.deepEqual(saved.map(({ Name }) => Name).sort(), QUERIES.map(({ name }) => `session-workers-prod/${name}`).sort());
  for (const { LogGroupNames } of saved) for (const name of LogGroupNames) assert.match(name, /^\/session-workers\/prod\/(controller|worker)$/);
});

test('the_saved_queries_name_metrics_that_are_written', () => {
  const fields = QUERIES.flatMap(({ text }) => [...text.matchAll(/\b(?:sum|max|avg|ispresent)\((\w+)\)/g)].map((match) => match[1] ?? ''));
  assert.ok(fields.length > 8);
  for (const field of fields) assert.ok(written.includes(field), `no metric line has ${field}`);
});
