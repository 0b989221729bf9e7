// What is watched, as data: each alarm answers one of four questions and has its entry in the runbook, under its own name.
// Nothing here is a construct: the observability construct makes alarms of it, the tests feed each with the numbers that it is for.
import type { Config } from './config.ts';

export const QUESTIONS = ['up', 'late', 'stuck', 'dear'] as const;
export type Question = (typeof QUESTIONS)[number];

/** The namespace and the one dimension of the binaries' own metrics (schemas/json/metrics.json). */
export const NAMESPACE = 'SessionWorkers';
export const DIMENSION = 'Environment';

export type Statistic = 'Sum' | 'Average' | 'Maximum' | 'Minimum' | 'SampleCount';

export interface Source {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly statistic: Statistic;
}

export interface Watch {
  /** Name within the environment, and heading of its entry in the runbook. */
  readonly name: string;
  readonly question: Question;
  /** What is wrong when it fires, one sentence. */
  readonly says: string;
  /** Whether it wakes somebody. */
  readonly pages: boolean;
  /** One metric, or several that `expression` names by these keys. */
  readonly sources: Readonly<Record<string, Source>>;
  readonly expression?: string;
  readonly periodMinutes: number;
  readonly fires: '>=' | '>' | '<';
  readonly threshold: number;
  /** So many of the last so many periods. */
  readonly periods: readonly [breaching: number, of: number];
  /** What a period without a number means. */
  readonly missing: 'notBreaching' | 'breaching';
}

/** What of the deployed stack the alarms point at. */
export interface Watched {
  readonly functionName: string;
  readonly queueName: string;
  /** Ids of the two stream mappings. */
  readonly mappings: Readonly<Record<'sessions' | 'rows', string>>;
  /** Our table, and the names of its indexes: a throttled index throttles the writes of its table. */
  readonly tableName: string;
  readonly indexes: readonly string[];
}

/** The share of a quota at which there is still time to ask for more. */
export const HEADROOM_PERCENT = 80;
/** List prices, USD (controller/ctl/src/money.rs names their sources). */
export const PRICES = { transcribedSecond: 0.024 / 60, translatedCharacter: 15 / 1e6, post: 1 / 1e6 } as const;

const ours = (config: Config, name: string, statistic: Statistic): Source => ({
  namespace: NAMESPACE, name, statistic, dimensions: { [DIMENSION]: config.environment },
});
const lambda = (watched: Watched, name: string, statistic: Statistic): Source => ({
  namespace: 'AWS/Lambda', name, statistic, dimensions: { FunctionName: watched.functionName },
});
const mapping = (watched: Watched, of: 'sessions' | 'rows', name: string): Source => ({
  namespace: 'AWS/Lambda', name, statistic: 'Sum', dimensions: { FunctionName: watched.functionName, EventSourceMappingUUID: watched.mappings[of] },
});
/** The throttles of our table and of each of its indexes, by keys of an expression that adds them. */
const throttles = (watched: Watched, name: 'ReadThrottleEvents' | 'WriteThrottleEvents'): Pick<Watch, 'sources' | 'expression'> => {
  const of = (dimensions: Source['dimensions']): Source => ({
    namespace: 'AWS/DynamoDB', name, statistic: 'Sum', dimensions: { TableName: watched.tableName, ...dimensions },
  });
  const sources = Object.fromEntries([['table', of({})], ...watched.indexes.map((index) => [index, of({ GlobalSecondaryIndexName: index })] as const)]);
  return { sources, expression: Object.keys(sources).map((key) => `FILL(${key}, 0)`).join(' + ') };
};
const one = (metric: Source): Readonly<Record<string, Source>> => ({ metric });

/** Everything that is watched in one environment. */
export function watches(config: Config, watched: Watched): readonly Watch[] {
  return [...up(config, watched), ...late(config, watched), ...stuck(config), ...dear(config)];
}

function up(config: Config, watched: Watched): Watch[] {
  const base = { question: 'up', periodMinutes: 1, fires: '>=', threshold: 1, missing: 'notBreaching' } as const;
  return [
    {
      ...base, name: 'controller-silent', pages: true, periods: [3, 3], fires: '<', missing: 'breaching',
      says: 'The controller has not swept for 3 minutes: no session is started, watched or stopped.',
      sources: one(ours(config, 'SweepDuration', 'SampleCount')),
    },
    {
      ...base, name: 'controller-errors', pages: true, periods: [3, 5],
      says: 'Invocations of the controller fail.',
      sources: one(lambda(watched, 'Errors', 'Sum')),
    },
    {
      ...base, name: 'controller-throttled', pages: false, periods: [3, 5],
      says: 'Invocations of the controller are turned away: its reserved concurrency, or the account, is used up.',
      sources: one(lambda(watched, 'Throttles', 'Sum')),
    },
    {
      ...base, name: 'looks-fail', pages: true, periods: [4, 5], threshold: 3,
      says: 'Sessions cannot be looked at, minute after minute.',
      sources: one(ours(config, 'LookErrors', 'Sum')),
    },
    {
      ...base, name: 'launches-fail', pages: true, periods: [3, 5],
      says: 'ECS starts no worker although sessions want one.',
      sources: one(ours(config, 'LaunchFailures', 'Sum')),
    },
    {
      ...base, name: 'sessions-failed', pages: true, periods: [1, 1],
      says: 'A fault ended a session, or keeps it from being served; it is tried again every 5 minutes.',
      sources: one(ours(config, 'Failures', 'Sum')),
    },
    {
      ...base, name: 'version-bad', pages: true, periods: [1, 1],
      says: 'The deployed version of the worker cannot run: launches come from the last good one.',
      sources: one(ours(config, 'BadVersions', 'Sum')),
    },
    {
      ...base, name: 'events-undelivered', pages: false, periods: [1, 1],
      says: 'Events to the controller could not be handled and lie in the dead-letter queue.',
      sources: one({ namespace: 'AWS/SQS', name: 'ApproximateNumberOfMessagesVisible', statistic: 'Maximum', dimensions: { QueueName: watched.queueName } }),
    },
    {
      ...base, name: 'records-discarded', pages: false, periods: [1, 1],
      says: 'Stream records could not be handled and were put into the bucket of discarded records.',
      sources: {
        sessions: mapping(watched, 'sessions', 'OnFailureDestinationDeliveredEventCount'),
        rows: mapping(watched, 'rows', 'OnFailureDestinationDeliveredEventCount'),
      },
      expression: 'FILL(sessions, 0) + FILL(rows, 0)',
    },
    {
      ...base, name: 'records-unreadable', pages: false, periods: [1, 1],
      says: 'A stream record can be read by nobody: another version wrote it.',
      sources: one(ours(config, 'PoisonRecords', 'Sum')),
    },
    {
      // A worker whose row is not written in time falls silent, and a new one takes over: it writes more.
      ...base, name: 'writes-refused', pages: true, periods: [2, 3],
      says: 'DynamoDB throttles writes of session rows: leases lapse, and healthy workers are replaced.',
      ...throttles(watched, 'WriteThrottleEvents'),
    },
    {
      ...base, name: 'reads-refused', pages: false, periods: [3, 5],
      says: 'DynamoDB throttles reads of session rows: looks come late.',
      ...throttles(watched, 'ReadThrottleEvents'),
    },
    {
      ...base, name: 'bus-refuses', pages: false, periods: [3, 5],
      says: 'The event bus does not take what happens to sessions; sessions themselves are not touched.',
      sources: one(ours(config, 'EventErrors', 'Sum')),
    },
  ];
}

function late(config: Config, watched: Watched): Watch[] {
  const base = { question: 'late', periodMinutes: 1, missing: 'notBreaching' } as const;
  return [
    {
      ...base, name: 'captions-late', pages: true, periods: [3, 5], fires: '>', threshold: 2_000,
      says: 'Half of the captions take longer than the 2 s that the product promises.',
      sources: one(ours(config, 'LagP50', 'Average')),
    },
    {
      ...base, name: 'captions-late-for-some', pages: false, periods: [3, 5], fires: '>', threshold: 4_000,
      says: 'The slowest captions of a session take longer than 4 s.',
      sources: one(ours(config, 'LagP95', 'Maximum')),
    },
    {
      ...base, name: 'sessions-wait', pages: true, periods: [5, 5], fires: '>=', threshold: 1,
      says: 'Sessions have waited for a worker for 5 minutes.',
      sources: one(ours(config, 'QueueDepth', 'Minimum')),
    },
    {
      ...base, name: 'stream-behind', pages: false, periods: [3, 5], fires: '>', threshold: 30_000,
      says: 'Changes of session rows reach the controller more than 30 s late.',
      sources: one(lambda(watched, 'IteratorAge', 'Maximum')),
    },
    {
      ...base, name: 'sweep-slow', pages: false, periods: [5, 5], fires: '>', threshold: 50_000,
      says: 'The sweep takes longer than it has: more sessions than one tick can look at, or slow answers of AWS.',
      sources: one(ours(config, 'SweepDuration', 'Maximum')),
    },
  ];
}

function stuck(config: Config): Watch[] {
  const base = { question: 'stuck', periodMinutes: 1, missing: 'notBreaching' } as const;
  return [
    {
      ...base, name: 'words-stuck', pages: true, periods: [3, 5], fires: '>', threshold: 30_000,
      says: 'Spoken words have waited for their text, translation or delivery for over 30 s.',
      sources: one(ours(config, 'LongestWait', 'Maximum')),
    },
    {
      ...base, name: 'service-degraded', pages: false, periods: [5, 5], fires: '>=', threshold: 1,
      says: 'A worker has given less than the full service for 5 minutes.',
      sources: one(ours(config, 'Degraded', 'Sum')),
    },
    {
      ...base, name: 'posts-fail', pages: true, periods: [3, 5], fires: '>', threshold: 5,
      says: 'More than 5 % of the messages to listeners fail.',
      sources: { failed: ours(config, 'PostsFailed', 'Sum'), posted: ours(config, 'Posts', 'Sum') },
      expression: '100 * failed / (failed + posted)',
    },
    {
      ...base, name: 'workers-hang', pages: false, periods: [3, 5], fires: '>=', threshold: 1,
      says: 'Workers have to be stopped by force, minute after minute: they do not end when asked.',
      sources: one(ours(config, 'Stops', 'Sum')),
    },
  ];
}

function dear(config: Config): Watch[] {
  const base = { question: 'dear', pages: false, fires: '>=', missing: 'notBreaching' } as const;
  const { quotas, budgetPerHour } = config;
  const share = HEADROOM_PERCENT / 100;
  return [
    {
      ...base, name: 'spending-high', periodMinutes: 60, periods: [1, 1], threshold: budgetPerHour,
      says: `Speech, translation and messages of the last hour cost ${budgetPerHour} USD or more at list prices.`,
      sources: {
        seconds: ours(config, 'TranscribedSeconds', 'Sum'),
        characters: ours(config, 'TranslatedCharacters', 'Sum'),
        posts: ours(config, 'Posts', 'Sum'),
      },
      expression: `seconds * ${PRICES.transcribedSecond} + characters * ${PRICES.translatedCharacter} + posts * ${PRICES.post}`,
    },
    {
      ...base, name: 'fargate-headroom', periodMinutes: 5, periods: [1, 1], threshold: HEADROOM_PERCENT,
      says: `${HEADROOM_PERCENT} % of the account's Fargate vCPU are in use: soon no worker can be started.`,
      sources: {
        used: {
          namespace: 'AWS/Usage', name: 'ResourceCount', statistic: 'Maximum',
          dimensions: { Service: 'Fargate', Type: 'Resource', Resource: 'vCPU', Class: config.spot ? 'Standard/Spot' : 'Standard/OnDemand' },
        },
      },
      expression: '100 * used / SERVICE_QUOTA(used)',
    },
    {
      // Seconds of audio in 5 minutes are 300 for each stream that is open all the time.
      ...base, name: 'transcribe-headroom', periodMinutes: 5, periods: [1, 1], threshold: share * quotas.transcribeStreams * 300,
      says: `${HEADROOM_PERCENT} % of the ${quotas.transcribeStreams} Transcribe streams are in use: soon sessions get no captions.`,
      sources: one(ours(config, 'TranscribedSeconds', 'Sum')),
    },
    {
      ...base, name: 'posts-headroom', periodMinutes: 1, periods: [2, 3], threshold: share * quotas.postsPerSecond * 60,
      says: `${HEADROOM_PERCENT} % of API Gateway's ${quotas.postsPerSecond} requests a second go to messages: soon they are throttled.`,
      sources: { posted: ours(config, 'Posts', 'Sum'), failed: ours(config, 'PostsFailed', 'Sum') },
      expression: 'posted + failed',
    },
  ];
}
