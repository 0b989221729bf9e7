// The configuration of one environment: read once, checked completely, plain data afterwards.
// A wrong key is one line that names the file, the key and what would be right.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ENVIRONMENTS = ['dev', 'staging', 'prod', 'local'] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

export const OPEN_INDEXES = ['old', 'both', 'new'] as const;
export type OpenIndex = (typeof OPEN_INDEXES)[number];

export const ARCHITECTURES = ['arm64', 'x86_64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** UDP ports that a worker's ICE agent may bind: opened by the security group and told to the worker, from this one value. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** Somebody else's value: as it is, or the name of the SSM parameter that holds it at deploy time. */
export type Foreign = { readonly literal: string } | { readonly parameter: string };

/** Their WebSocket API: for whom a worker may post, and where. */
export interface WebSocketApi {
  readonly apiId: Foreign;
  readonly stage: string;
  /** Management endpoint including the stage, where it is not the AWS default (custom domain, local stack). */
  readonly endpoint?: string;
}

export interface Config {
  readonly environment: Environment;
  readonly account: string;
  readonly region: string;
  readonly architecture: Architecture;
  /** Their tables, by name. */
  readonly sessionsTable: string;
  readonly connectionsTable: string;
  readonly sessionsStreamArn: Foreign;
  readonly webSocket: WebSocketApi;
  readonly icePorts: PortRange;
  readonly iceBind: string;
  /** A built image by digest; without it the image is built from worker/Dockerfile at deploy time. */
  readonly workerImage?: string;
  /** A built controller, `s3://bucket/key.zip`; without it see controller-code.ts. */
  readonly controllerCode?: { readonly bucket: string; readonly key: string };
  readonly worker: { readonly cpu: number; readonly memoryMiB: number };
  readonly partials: 'finals' | 'sentences' | 'clauses' | 'live';
  readonly emotion: 'off' | 'acoustic' | 'emotion';
  /** Wishes to Transcribe and Translate, and limits, as worker/src/config/environment.rs reads them: the variable's name and its text. */
  readonly captions: Readonly<Record<CaptionKey, string>>;
  /** Replace the workers of an old task definition while their sessions run. */
  readonly rollout: boolean;
  /** Delete the signaling channels of ended runs; without it the controller has no right to. */
  readonly channelCleanup: boolean;
  readonly logLevel: string;
  readonly logRetentionDays: number;
  /** Keep table and logs when the stack goes, and refuse to delete either by accident. */
  readonly retain: boolean;
  readonly vpcCidr: string;
  /** By which index open rows are found: `new`, but for a stack that was deployed with an older release (docs/deploying.md). */
  readonly openIndex: OpenIndex;
  /** Run workers on Fargate Spot. */
  readonly spot: boolean;
  /** Invocations of the controller at once; 0 leaves it to the account. */
  readonly controllerConcurrency: number;
  /** What the account may use, for the head-room alarms (that of Fargate's vCPU knows it by itself). */
  readonly quotas: Readonly<Record<QuotaKey, number>>;
  /** USD of speech, translation and messages in an hour at which an alarm says so. */
  readonly budgetPerHour: number;
  /** Where alarms point to: the runbook without its anchor. */
  readonly runbook: string;
}

/** Quotas of a new account (Transcribe L-0599F82B, API Gateway's throttle across all APIs). */
const QUOTAS = { transcribeStreams: 25, postsPerSecond: 10_000 } as const;
export type QuotaKey = keyof typeof QUOTAS;

/** Keys under `captions`, each with its variable, its default and what it may hold; `none` stands for nothing. */
const CAPTIONS = {
  agc: ['AGC', 'off', /^(off|on)$/],
  audioQuality: ['AUDIO_QUALITY', 'on', /^(off|on)$/],
  emotionModel: ['EMOTION_MODEL', 'none', /^(none|\/[\w./-]+\.onnx)$/],
  emotionModelLibrary: ['EMOTION_MODEL_LIBRARY', 'none', /^(none|\/[\w./-]+)$/],
  listen: ['LISTEN', 'when-heard', /^(when-heard|always)$/],
  chunkMs: ['CHUNK_MS', '100', /^(5\d|[6-9]\d|1\d\d|200)$/],
  silenceCloseS: ['SILENCE_CLOSE_S', '30', /^(\d{2,4}|off)$/],
  variants: ['VARIANTS', 'none', /^(none|[a-z]{2}=[a-z]{2,3}-[A-Z]{2}(,[a-z]{2}=[a-z]{2,3}-[A-Z]{2})*)$/],
  vocabulary: ['VOCABULARY', 'none', /^(none|[a-z]{2}=[\w.-]+(,[a-z]{2}=[\w.-]+)*)$/],
  vocabularyFilter: ['VOCABULARY_FILTER', 'none', /^(none|((mask|remove|tag):)?[a-z]{2}=[\w.-]+(,[a-z]{2}=[\w.-]+)*)$/],
  identifyLanguages: ['IDENTIFY_LANGUAGES', 'none', /^(none|[a-z]{2}(,[a-z]{2}){1,4})$/],
  terminology: ['TERMINOLOGY', 'none', /^[\w.-]+$/],
  formality: ['FORMALITY', 'none', /^(none|formal|informal)$/],
  profanity: ['PROFANITY', 'off', /^(off|on)$/],
  brevity: ['BREVITY', 'off', /^(off|on)$/],
  translateCharactersPerMinute: ['TRANSLATE_CHARACTERS_PER_MINUTE', '60000', /^\d{4,8}$/],
  maskWords: ['MASK_WORDS', '3', /^(\d|10)$/],
  postsInFlight: ['POSTS_IN_FLIGHT', '100', /^([1-9]\d{0,2}|1000)$/],
} as const satisfies Record<string, readonly [string, string, RegExp]>;
export type CaptionKey = keyof typeof CAPTIONS;

/** The variables of a worker that follow from `captions`. */
export function captionVariables(captions: Config['captions']): Record<string, string> {
  return Object.fromEntries(Object.entries(CAPTIONS).map(([key, [name]]) => [name, captions[key as CaptionKey]]));
}

/** A configuration that cannot be deployed; the message is one line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

type Raw = Readonly<Record<string, unknown>>;

const KEYS = [
  'account', 'region', 'architecture', 'sessionsTable', 'connectionsTable', 'sessionsStreamArn', 'webSocketApiId', 'webSocketStage',
  'webSocketEndpoint', 'icePorts', 'iceBind', 'workerImage', 'controllerCode', 'worker', 'partials', 'emotion', 'captions', 'rollout',
  'channelCleanup', 'logLevel', 'logRetentionDays', 'retain', 'vpcCidr', 'openIndex', 'spot', 'controllerConcurrency', 'quotas', 'budgetPerHour', 'runbook',
] as const;
type Key = (typeof KEYS)[number];

/** Where an untouched example says that nobody has filled it in. */
const PLACEHOLDER_ACCOUNT = '000000000000';

/** Fargate's pairs: vCPU units to MiB (ECS developer guide, "Task CPU and memory"); above 4 vCPU is never needed here. */
const FARGATE_MEMORY: Readonly<Record<number, readonly number[]>> = {
  256: [512, 1024, 2048],
  512: [1024, 2048, 3072, 4096],
  1024: steps(2048, 8192),
  2048: steps(4096, 16384),
  4096: steps(8192, 30720),
};

/** Retentions that CloudWatch Logs takes, up to a year. */
const RETENTIONS: readonly number[] = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365];

function steps(from: number, to: number): number[] {
  return Array.from({ length: (to - from) / 1024 + 1 }, (_, i) => from + i * 1024);
}

/**
 * Loads `config/<env>.json`, lays the overrides (`-c key=value`) over it and checks the whole.
 * `directory` holds the files; `overrides` gives the context value of a key, if there is one.
 */
export function loadConfig(env: unknown, directory: string, overrides: (key: string) => unknown): Config {
  const environment = oneOf('-c env', ENVIRONMENTS, env);
  const file = overrides('config') ?? `${environment}.json`;
  if (typeof file !== 'string') throw new ConfigError('-c config: expected a file name');
  const path = join(directory, file);
  if (!existsSync(path)) {
    throw new ConfigError(`config/${file} does not exist: copy config/${environment}.json.example to it and fill in the account`);
  }
  const laid: Record<string, unknown> = { ...parse(path, `config/${file}`) };
  for (const key of KEYS) {
    const value = overrides(key);
    if (value !== undefined) laid[key] = fromText(key, value);
  }
  return parseConfig(environment, laid, `config/${file}`);
}

function parse(path: string, name: string): Raw {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError(`${name}: not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isRecord(json)) throw new ConfigError(`${name}: expected one JSON object`);
  return json;
}

/** Keys whose value is no text. */
const TYPED: readonly Key[] = [
  'worker', 'captions', 'rollout', 'channelCleanup', 'logRetentionDays', 'retain', 'spot', 'controllerConcurrency', 'quotas', 'budgetPerHour',
];

/** Context from a command line is always text. */
function fromText(key: Key, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (TYPED.includes(key)) {
    try {
      return JSON.parse(value) as unknown;
    } catch {
      return value;
    }
  }
  return value;
}

/** Checks every key of a configuration. `name` is how messages call the file. */
export function parseConfig(environment: Environment, raw: Raw, name: string): Config {
  const fail = (key: string, problem: string): never => {
    throw new ConfigError(`${name}: ${key}: ${problem}`);
  };
  const unknown = Object.keys(raw).find((key) => !(KEYS as readonly string[]).includes(key));
  if (unknown !== undefined) fail(unknown, `unknown key; the keys are ${KEYS.join(', ')}`);

  const text = (key: Key, pattern: RegExp, expected: string, fallback?: string): string => {
    const value = raw[key] ?? fallback;
    if (value === undefined) return fail(key, `missing; expected ${expected}`);
    if (typeof value !== 'string' || !pattern.test(value)) return fail(key, `${JSON.stringify(value)}: expected ${expected}`);
    return value;
  };
  const choice = <T extends string>(key: Key, values: readonly T[], fallback: T): T =>
    oneOf(`${name}: ${key}`, values, raw[key] ?? fallback);

  const account = text('account', /^\d{12}$/, 'the 12 digits of the AWS account');
  if (environment !== 'local' && account === PLACEHOLDER_ACCOUNT) {
    fail('account', `still the placeholder ${PLACEHOLDER_ACCOUNT}: put the account of ${environment} there`);
  }
  const region = text('region', /^[a-z]{2}(-[a-z]+)+-\d$/, 'a region such as us-east-1');
  const sessionsTable = text('sessionsTable', /^[\w.-]{3,255}$/, 'a table name', `Sessions-${environment}`);

  return {
    environment,
    account,
    region,
    architecture: choice('architecture', ARCHITECTURES, 'arm64'),
    sessionsTable,
    connectionsTable: text('connectionsTable', /^[\w.-]{3,255}$/, 'a table name', `Connections-${environment}`),
    sessionsStreamArn: streamArn(raw['sessionsStreamArn'], { account, region, sessionsTable }, fail),
    webSocket: webSocketApi(raw, fail),
    icePorts: portRange(text('icePorts', /^\d+-\d+$/, 'FIRST-LAST, such as 50000-50031', '50000-50031'), fail),
    iceBind: text('iceBind', /^\d{1,3}(\.\d{1,3}){3}$/, 'an IPv4 address', '0.0.0.0'),
    ...(raw['workerImage'] === undefined ? {} : { workerImage: workerImage(environment, text('workerImage', /^\S+[:@]\S+$/, 'REPOSITORY@sha256:DIGEST'), fail) }),
    ...(raw['controllerCode'] === undefined ? {} : { controllerCode: s3Object(text('controllerCode', /^s3:\/\/[^/]+\/.+$/, 's3://bucket/key.zip')) }),
    worker: workerSize(raw['worker'] ?? { cpu: 256, memoryMiB: 512 }, fail),
    partials: choice('partials', ['finals', 'sentences', 'clauses', 'live'] as const, 'clauses'),
    emotion: choice('emotion', ['off', 'acoustic', 'emotion'] as const, 'acoustic'),
    captions: captionsOf(raw['captions'] ?? {}, fail),
    rollout: boolean('rollout', raw['rollout'] ?? false, fail),
    channelCleanup: boolean('channelCleanup', raw['channelCleanup'] ?? false, fail),
    logLevel: text('logLevel', /^[\w:=,-]+$/, 'tracing directives such as info or info,worker=debug', 'info'),
    logRetentionDays: retention(raw['logRetentionDays'] ?? 30, fail),
    retain: boolean('retain', raw['retain'] ?? environment === 'prod', fail),
    vpcCidr: text('vpcCidr', /^\d{1,3}(\.\d{1,3}){3}\/(1[6-9]|2[0-6])$/, 'a CIDR of /16 to /26', '10.64.0.0/22'),
    openIndex: choice('openIndex', OPEN_INDEXES, 'new'),
    spot: boolean('spot', raw['spot'] ?? false, fail),
    controllerConcurrency: whole('controllerConcurrency', raw['controllerConcurrency'] ?? 10, [0, 1000], fail),
    quotas: quotasOf(raw['quotas'] ?? {}, fail),
    budgetPerHour: whole('budgetPerHour', raw['budgetPerHour'] ?? 50, [1, 1_000_000], fail),
    runbook: text('runbook', /^\S+$/, 'a path or URL without #', 'docs/operating.md'),
  };
}

type Fail = (key: string, problem: string) => never;

function streamArn(value: unknown, ours: { account: string; region: string; sessionsTable: string }, fail: Fail): Foreign {
  const key = 'sessionsStreamArn';
  const expected = 'the stream ARN of the Sessions table, or ssm:/path of the parameter that holds it';
  if (value === undefined) fail(key, `missing; expected ${expected} (-c ${key}=... also works)`);
  const parameter = ssmPath(value);
  if (parameter !== undefined) return { parameter };
  const parts = typeof value === 'string' ? /^arn:aws[\w-]*:dynamodb:([\w-]+):(\d{12}):table\/([\w.-]+)\/stream\/\S+$/.exec(value) : null;
  if (typeof value !== 'string' || parts === null) return fail(key, `${JSON.stringify(value)}: expected ${expected}`);
  const [, region, account, table] = parts;
  // A stream pasted from another environment would start workers for somebody else's sessions.
  if (table !== ours.sessionsTable) fail(key, `is of table ${table}, but sessionsTable is ${ours.sessionsTable}`);
  if (region !== ours.region) fail(key, `is in region ${region}, but region is ${ours.region}`);
  if (account !== ours.account) fail(key, `is of account ${account}, but account is ${ours.account}`);
  return { literal: value };
}

/** From `webSocketApiId` (with `webSocketStage`), or from a `webSocketEndpoint` that contains both. */
function webSocketApi(raw: Raw, fail: Fail): WebSocketApi {
  const endpoint = raw['webSocketEndpoint'];
  const id = raw['webSocketApiId'];
  const stage = raw['webSocketStage'] ?? 'prod';
  if (typeof stage !== 'string' || !/^[\w-]+$/.test(stage)) fail('webSocketStage', `${JSON.stringify(stage)}: expected the name of a stage`);
  const named = id === undefined ? undefined : apiId(id, fail);
  if (endpoint === undefined) {
    if (named === undefined) return fail('webSocketApiId', 'missing; expected the id of their WebSocket API, ssm:/path, or a webSocketEndpoint instead');
    return { apiId: named, stage: stage as string };
  }
  if (typeof endpoint !== 'string' || !/^https?:\/\/[^/\s]+\/\S*[^/\s]$/.test(endpoint)) {
    return fail('webSocketEndpoint', `${JSON.stringify(endpoint)}: expected https://HOST/STAGE, without a slash at the end`);
  }
  if (named !== undefined) return { apiId: named, stage: stage as string, endpoint };
  // https://{id}.execute-api.{region}.amazonaws.com/{stage}, or the path form of an emulator: .../execute-api/{id}/{stage}
  const found = /^https:\/\/(\w+)\.execute-api\.[\w.-]+\/([\w-]+)$/.exec(endpoint) ?? /\/execute-api\/(\w+)\/([\w-]+)$/.exec(endpoint);
  const [, foundId, foundStage] = found ?? [];
  if (foundId === undefined || foundStage === undefined) {
    return fail('webSocketApiId', `missing; webSocketEndpoint ${endpoint} does not contain the API's id, so permissions need it here`);
  }
  return { apiId: { literal: foundId }, stage: foundStage, endpoint };
}

function apiId(value: unknown, fail: Fail): Foreign {
  const parameter = ssmPath(value);
  if (parameter !== undefined) return { parameter };
  if (typeof value !== 'string' || !/^[A-Za-z0-9]+$/.test(value)) return fail('webSocketApiId', `${JSON.stringify(value)}: expected an API id or ssm:/path`);
  return { literal: value };
}

/** By digest: a tag is whatever somebody pushed last, so a task that starts tomorrow may run another program. The local stack has no registry. */
function workerImage(environment: Environment, image: string, fail: Fail): string {
  if (environment === 'local' || /^[^@\s]+@sha256:[0-9a-f]{64}$/.test(image)) return image;
  return fail('workerImage', `${JSON.stringify(image)} names no digest: expected REPOSITORY@sha256:DIGEST, which the push prints (docs/deploying.md says how to read it again)`);
}

function ssmPath(value: unknown): string | undefined {
  return typeof value === 'string' ? /^ssm:(\/[\w./-]+)$/.exec(value)?.[1] : undefined;
}

function portRange(text: string, fail: Fail): PortRange {
  const [first = 0, last = 0] = text.split('-').map(Number);
  if (first < 1024 || last > 65535 || first > last) fail('icePorts', `${JSON.stringify(text)}: expected 1024 <= FIRST <= LAST <= 65535`);
  return { first, last };
}

function s3Object(url: string): { bucket: string; key: string } {
  const [bucket = '', ...key] = url.slice('s3://'.length).split('/');
  return { bucket, key: key.join('/') };
}

function workerSize(value: unknown, fail: Fail): { cpu: number; memoryMiB: number } {
  if (!isRecord(value)) return fail('worker', 'expected { "cpu": 256, "memoryMiB": 512 }');
  const other = Object.keys(value).find((key) => key !== 'cpu' && key !== 'memoryMiB');
  if (other !== undefined) fail(`worker.${other}`, 'unknown key; the keys are cpu, memoryMiB');
  const { cpu, memoryMiB } = value;
  const memories = typeof cpu === 'number' ? FARGATE_MEMORY[cpu] : undefined;
  if (typeof cpu !== 'number' || memories === undefined) return fail('worker.cpu', `${JSON.stringify(cpu)}: expected ${Object.keys(FARGATE_MEMORY).join(', ')}`);
  if (typeof memoryMiB !== 'number' || !memories.includes(memoryMiB)) {
    return fail('worker.memoryMiB', `${JSON.stringify(memoryMiB)}: with cpu ${cpu} Fargate takes ${memories.join(', ')}`);
  }
  return { cpu, memoryMiB };
}

function captionsOf(value: unknown, fail: Fail): Config['captions'] {
  if (!isRecord(value)) return fail('captions', 'expected an object such as { "terminology": "hymns" }');
  const other = Object.keys(value).find((key) => !(key in CAPTIONS));
  if (other !== undefined) fail(`captions.${other}`, `unknown key; the keys are ${Object.keys(CAPTIONS).join(', ')}`);
  const entries = Object.entries(CAPTIONS).map(([key, [, fallback, pattern]]) => {
    const given = value[key] ?? fallback;
    const text = typeof given === 'number' ? String(given) : given;
    if (typeof text !== 'string' || !pattern.test(text)) return fail(`captions.${key}`, `${JSON.stringify(given)}: expected ${String(pattern)}`);
    return [key, text] as const;
  });
  return Object.fromEntries(entries) as Record<CaptionKey, string>;
}

function retention(value: unknown, fail: Fail): number {
  if (typeof value !== 'number' || !RETENTIONS.includes(value)) return fail('logRetentionDays', `${JSON.stringify(value)}: expected one of ${RETENTIONS.join(', ')}`);
  return value;
}

/** What the account may use, over what a new account may. */
function quotasOf(value: unknown, fail: Fail): Config['quotas'] {
  if (!isRecord(value)) return fail('quotas', `expected an object with some of ${Object.keys(QUOTAS).join(', ')}`);
  const other = Object.keys(value).find((key) => !(key in QUOTAS));
  if (other !== undefined) fail(`quotas.${other}`, `unknown key; the keys are ${Object.keys(QUOTAS).join(', ')}`);
  const entries = Object.entries(QUOTAS).map(([key, fallback]) => [key, whole(`quotas.${key}`, value[key] ?? fallback, [1, 1_000_000], fail)]);
  return Object.fromEntries(entries) as Config['quotas'];
}

function whole(key: string, value: unknown, [least, most]: readonly [number, number], fail: Fail): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    return fail(key, `${JSON.stringify(value)}: expected a whole number from ${least} to ${most}`);
  }
  return value;
}

function boolean(key: Key, value: unknown, fail: Fail): boolean {
  if (typeof value !== 'boolean') return fail(key, `${JSON.stringify(value)}: expected true or false`);
  return value;
}

function oneOf<T extends string>(where: string, values: readonly T[], value: unknown): T {
  const found = values.find((candidate) => candidate === value);
  if (found === undefined) throw new ConfigError(`${where}: ${value === undefined ? 'missing' : JSON.stringify(value)}: expected one of ${values.join(', ')}`);
  return found;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** As the worker reads it: `50000-50031`. */
export function portRangeText(range: PortRange): string {
  return `${range.first}-${range.last}`;
}
