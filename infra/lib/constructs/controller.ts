// The controller: a function that every event wakes. Events that cannot be delivered end in one queue, and the schedule alone suffices
// to converge, so a lost event costs a minute.
import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { AnyPrincipal, Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture, CfnEventInvokeConfig, CfnFunction, EventSourceMapping, Function, MetricType, Runtime, StartingPosition,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Watched } from '../alarms.ts';
import type { Config } from '../config.ts';
import { controllerCode } from '../controller-code.ts';
import { allow } from '../iam.ts';
import { CONTAINER, clusterName, ecsArn, foreign, logGroupName, tableArn, workerFamily } from '../names.ts';
import type { Events } from './events.ts';
import type { Network } from './network.ts';
import type { State } from './state.ts';
import { Timers } from './timers.ts';
import type { WorkerFleet } from './worker-fleet.ts';

/** An invocation ends before the next tick of the schedule, and with it the lease of its sweep, whatever becomes of its process. */
const INVOCATION = Duration.seconds(55);

/** After this an undelivered event says nothing that the schedule has not noticed. */
const STALE = Duration.hours(1);

/** How long discarded records are kept: they hold whole session rows. */
const KEEP_DISCARDED = Duration.days(14);

/** The phases that a row ends in. */
const ENDED = ['Stopped', 'Failed'];
/** How the keys of orders begin (table.rs). */
export const ORDER = 'wish#';

export interface ControllerProps {
  readonly config: Config;
  readonly network: Network;
  readonly state: State;
  readonly events: Events;
  readonly fleet: WorkerFleet;
  /** Root of the repository. */
  readonly workspace: string;
}

export class Controller extends Construct {
  readonly function: Function;
  readonly undelivered: Queue;
  /** Stream records that were given up, whole. */
  readonly discarded: Bucket;
  private readonly role: Role;
  private readonly timers: Timers;
  private readonly mappings: Watched['mappings'];

  constructor(scope: Construct, id: string, private readonly props: ControllerProps) {
    super(scope, id);
    this.undelivered = this.deadLetterQueue();
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    this.timers = new Timers(this, 'Timers', props.config, INVOCATION);
    this.function = this.define();
    this.timers.wake(this.function, this.role);
    this.discarded = this.discardedRecords();
    this.mappings = { sessions: this.onSessions(), rows: this.onRows() };
    this.onTaskChange();
    this.onSchedule();
    this.keepFailedEvents();
    this.allowRows();
    this.allowTasks();
    this.allowEvents();
    this.allowChannels();
  }

  /** What the alarms point at. */
  get watched(): Watched {
    const { state } = this.props;
    return {
      functionName: this.function.functionName, queueName: this.undelivered.queueName, mappings: this.mappings,
      tableName: state.table.tableName, indexes: state.indexes,
    };
  }

  private define(): Function {
    const { config, network, state, events, fleet, workspace } = this.props;
    const logGroup = new LogGroup(this, 'Logs', {
      logGroupName: logGroupName(config, 'controller'),
      retention: config.logRetentionDays,
      removalPolicy: config.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    allow(this.role, {
      sid: 'WriteControllerLogs',
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [logGroup.logGroupArn],
      wildcard: 'The ARN of a log group ends in :* for its streams.',
    });
    const made = new Function(this, 'Function', {
      functionName: `session-controller-${config.environment}`,
      description: 'Starts, watches and stops the worker of each session',
      runtime: Runtime.PROVIDED_AL2023,
      architecture: config.architecture === 'arm64' ? Architecture.ARM_64 : Architecture.X86_64,
      handler: 'bootstrap',
      code: controllerCode(this, config, workspace),
      // A processor's share comes with it: with 512 MB 0.29 of a core. Measured (docs/benchmarks.md, a sweep of 10,000 sessions): a tick takes
      // 0.13 s of a core, and one that has to look at each of them 6.6 s, so that 256 MB would leave it 46 of its 52 s. 50 MB are used.
      memorySize: 512,
      timeout: INVOCATION,
      role: this.role,
      logGroup,
      // Enough for the streams, the schedule and a surge of task events; a flood beyond it waits instead of taking the account's share.
      ...(config.controllerConcurrency > 0 ? { reservedConcurrentExecutions: config.controllerConcurrency } : {}),
      environment: {
        SESSIONS_TABLE: config.sessionsTable,
        WORKERS_TABLE: state.table.tableName,
        CLUSTER: clusterName(config),
        TASK_DEFINITION: fleet.taskDefinition.taskDefinitionArn,
        CONTAINER,
        SUBNETS: network.subnetIds.join(','),
        SECURITY_GROUPS: network.workers.securityGroupId,
        ASSIGN_PUBLIC_IP: 'ENABLED',
        SESSION_ENV: config.environment,
        EVENT_BUS: events.bus.eventBusName,
        TIMER_QUEUE: this.timers.queue.queueUrl,
        ROLLOUT: onOff(config.rollout),
        CHANNEL_CLEANUP: onOff(config.channelCleanup),
        CAPACITY: config.spot ? 'FARGATE_SPOT' : 'FARGATE',
        OPEN_INDEX: config.openIndex,
        LOG_LEVEL: config.logLevel,
      },
    });
    // The construct's own switch would add a grant without a Sid.
    (made.node.defaultChild as CfnFunction).tracingConfig = { mode: 'Active' };
    allow(this.role, {
      sid: 'WriteTraces',
      actions: ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'],
      resources: ['*'],
      wildcard: 'AWS defines no resource for writing traces.',
    });
    return made;
  }

  /**
   * Where stream records go that nobody could handle. A queue would get their places in the stream alone, and the stream forgets
   * within a day; a bucket gets the records themselves.
   */
  private discardedRecords(): Bucket {
    const { config } = this.props;
    const bucket = new Bucket(this, 'Discarded', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [{ id: 'Forget', expiration: KEEP_DISCARDED }],
      removalPolicy: config.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: 'OnlyOverTls',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['s3:*'],
        resources: [bucket.bucketArn, bucket.arnForObjects('*')],
        conditions: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    );
    Validations.of(bucket).acknowledge({ id: 'AwsSolutions-S1', reason: 'Only Lambda writes here, a few records a year; who reads them is in CloudTrail.' });
    allow(this.role, {
      sid: 'KeepDiscarded',
      actions: ['s3:PutObject'],
      resources: [bucket.arnForObjects('aws/lambda/*')],
      wildcard: 'Lambda names each object by mapping, shard and time.',
    });
    allow(this.role, { sid: 'FindDiscardedBucket', actions: ['s3:ListBucket'], resources: [bucket.bucketArn] });
    return bucket;
  }

  private deadLetterQueue(): Queue {
    const queue = new Queue(this, 'Undelivered', {
      encryption: QueueEncryption.SQS_MANAGED,
      retentionPeriod: Duration.days(14),
    });
    queue.addToResourcePolicy(
      new PolicyStatement({
        sid: 'OnlyOverTls',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['sqs:*'],
        resources: [queue.queueArn],
        conditions: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    );
    Validations.of(queue).acknowledge({ id: 'AwsSolutions-SQS3', reason: 'This queue is the dead-letter queue.' });
    return queue;
  }

  /**
   * Their stream: every change of a row that is or was a run. A row that names neither channel nor stream (a ghost, or one of the
   * older path) is nobody's run before and after. More cannot be dropped: a filter does not compare the two images, and of a run
   * every attribute may matter.
   */
  private onSessions(): string {
    const run = { S: [{ exists: true }] };
    const mapping = this.onStream('Sessions', foreign(this, this.props.config.sessionsStreamArn), [
      { dynamodb: { NewImage: { kvsChannelArn: run } } },
      { dynamodb: { NewImage: { kvsStreamArn: run } } },
      { dynamodb: { OldImage: { kvsChannelArn: run } } },
      { dynamodb: { OldImage: { kvsStreamArn: run } } },
    ]);
    allow(this.role, {
      sid: 'FindSessionsStream',
      actions: ['dynamodb:ListStreams'],
      resources: ['*'],
      wildcard: 'Lambda lists streams before it reads one: AWS defines no resource for it.',
    });
    return mapping;
  }

  /** Our own stream: an operator's order, and a row that ends. The heartbeats of the workers, every 2 s, stay outside. */
  private onRows(): string {
    const current = { record: { S: ['current'] } };
    const ended = { phase: { S: ENDED } };
    const notEnded = { phase: { S: [{ 'anything-but': ENDED }] } };
    return this.onStream('Rows', this.props.state.streamArn, [
      { eventName: ['INSERT'], dynamodb: { Keys: { record: { S: [{ prefix: ORDER }] } } } },
      { eventName: ['INSERT'], dynamodb: { Keys: current, NewImage: ended } },
      { eventName: ['MODIFY'], dynamodb: { Keys: current, OldImage: notEnded, NewImage: ended } },
    ]);
  }

  private onStream(id: string, arn: string, filters: readonly Record<string, unknown>[]): string {
    const mapping = new EventSourceMapping(this, id, {
      target: this.function,
      eventSourceArn: arn,
      // LATEST loses what happens while a mapping is created or changed.
      startingPosition: StartingPosition.TRIM_HORIZON,
      batchSize: 100,
      // So many batches of a shard at once, those of one session in their order: a call of RunTask that takes seconds holds up a quarter of a surge, not all.
      parallelizationFactor: 4,
      bisectBatchOnError: true,
      reportBatchItemFailures: true,
      // Without bounds one record that cannot be handled blocks its shard for a day.
      retryAttempts: 5,
      maxRecordAge: STALE,
      onFailure: { bind: () => ({ destination: this.discarded.bucketArn }) },
      filters: filters.map((pattern) => ({ pattern: JSON.stringify(pattern) })),
      metricsConfig: { metrics: [MetricType.EVENT_COUNT] },
    });
    allow(this.role, {
      sid: `Read${id}Stream`,
      actions: ['dynamodb:DescribeStream', 'dynamodb:GetRecords', 'dynamodb:GetShardIterator'],
      resources: [arn],
    });
    return mapping.eventSourceMappingId;
  }

  /** Tasks of ours that started or stopped. */
  private onTaskChange(): void {
    const { config, fleet } = this.props;
    const rule = new Rule(this, 'TaskChange', {
      description: 'A session worker started or stopped',
      eventPattern: {
        source: ['aws.ecs'],
        detailType: ['ECS Task State Change'],
        detail: {
          clusterArn: [fleet.cluster.clusterArn],
          group: [`family:${workerFamily(config)}`],
          lastStatus: ['RUNNING', 'STOPPED'],
        },
      },
    });
    rule.addTarget(new LambdaFunction(this.function, { deadLetterQueue: this.undelivered, maxEventAge: STALE }));
  }

  /** The look that needs no event. A late tick is worthless, since the next one sees the same. */
  private onSchedule(): void {
    const rule = new Rule(this, 'EveryMinute', {
      description: 'Look at every session that is due',
      schedule: Schedule.rate(Duration.minutes(1)),
    });
    rule.addTarget(
      new LambdaFunction(this.function, {
        deadLetterQueue: this.undelivered,
        maxEventAge: Duration.minutes(2),
        retryAttempts: 0,
      }),
    );
  }

  /** Events are delivered to Lambda at once and handled later: what fails there needs a queue of its own. */
  private keepFailedEvents(): void {
    new CfnEventInvokeConfig(this, 'Failed', {
      functionName: this.function.functionName,
      qualifier: '$LATEST',
      maximumRetryAttempts: 1,
      maximumEventAgeInSeconds: STALE.toSeconds(),
      destinationConfig: { onFailure: { destination: this.undelivered.queueArn } },
    });
    allow(this.role, { sid: 'KeepUndelivered', actions: ['sqs:SendMessage'], resources: [this.undelivered.queueArn] });
  }

  private allowRows(): void {
    const { config, state } = this.props;
    allow(this.role, {
      sid: 'ReadSessions',
      actions: ['dynamodb:GetItem', 'dynamodb:Scan'],
      resources: [tableArn(this, config.sessionsTable)],
    });
    allow(this.role, {
      sid: 'KeepRows',
      actions: ['dynamodb:BatchGetItem', 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query', 'dynamodb:UpdateItem'],
      resources: [state.table.tableArn],
    });
    allow(this.role, { sid: 'FindDueRows', actions: ['dynamodb:Query'], resources: state.indexArns });
  }

  private allowEvents(): void {
    allow(this.role, {
      // PutEvents says 200 to a bus that does not exist, so the controller looks it up first.
      sid: 'TellWhatHappens',
      actions: ['events:DescribeEventBus', 'events:PutEvents'],
      resources: [this.props.events.bus.eventBusArn],
    });
  }

  /** Channels are made by the session service: the right to delete them exists only where that is wanted. */
  private allowChannels(): void {
    if (!this.props.config.channelCleanup) return;
    allow(this.role, {
      sid: 'DeleteChannelsOfEndedRuns',
      actions: ['kinesisvideo:DeleteSignalingChannel'],
      resources: [Stack.of(this).formatArn({ service: 'kinesisvideo', resource: 'channel', resourceName: 'session-*/*' })],
      wildcard: 'The service makes one channel per session, named session-{id}/{creation time}.',
    });
  }

  private allowTasks(): void {
    const { config, fleet } = this.props;
    const onOurCluster = { ArnEquals: { 'ecs:cluster': fleet.cluster.clusterArn } };
    const tasks = ecsArn(this, 'task', `${clusterName(config)}/*`);
    allow(this.role, {
      sid: 'StartWorkers',
      actions: ['ecs:RunTask'],
      resources: [ecsArn(this, 'task-definition', `${workerFamily(config)}:*`)],
      conditions: onOurCluster,
      wildcard: 'Each deployment makes a new revision of our one family.',
    });
    allow(this.role, {
      sid: 'WatchAndStopWorkers',
      actions: ['ecs:DescribeTasks', 'ecs:StopTask'],
      resources: [tasks],
      conditions: onOurCluster,
      wildcard: 'Task ids exist only once a worker runs; the cluster holds nothing else.',
    });
    allow(this.role, {
      sid: 'FindWorkers',
      actions: ['ecs:ListTasks'],
      resources: ['*'],
      conditions: onOurCluster,
      wildcard: 'ListTasks is granted on container instances, which Fargate does not have; the condition keeps it to our cluster.',
    });
    allow(this.role, {
      sid: 'TagNewWorkers',
      actions: ['ecs:TagResource'],
      resources: [tasks],
      conditions: { StringEquals: { 'ecs:CreateAction': 'RunTask' } },
      wildcard: 'Tags are given while the task gets its id.',
    });
    allow(this.role, {
      sid: 'GiveWorkersTheirRoles',
      actions: ['iam:PassRole'],
      resources: [fleet.taskRole.roleArn, fleet.executionRole.roleArn],
      conditions: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
    });
  }
}

/** A switch as the controller reads it. */
function onOff(value: boolean): 'on' | 'off' {
  return value ? 'on' : 'off';
}
