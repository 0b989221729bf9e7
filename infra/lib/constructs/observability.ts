// Is it up? Is it late? Is it stuck? Is it dear? One dashboard and a set of alarms in that order; what pages is one alarm of all that
// deserve it, so that an incident rings once.
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  Alarm, AlarmRule, AlarmState, AlarmStatusWidget, ComparisonOperator, CompositeAlarm, Dashboard, GraphWidget, MathExpression, Metric,
  TextWidget, TreatMissingData, type IMetric,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { CfnQueryDefinition } from 'aws-cdk-lib/aws-logs';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { DIMENSION, NAMESPACE, PRICES, QUESTIONS, watches, type Question, type Source, type Watch, type Watched } from '../alarms.ts';
import type { Config } from '../config.ts';
import { clusterName, logGroupName } from '../names.ts';
import { QUERIES } from '../queries.ts';

const COMPARISON: Readonly<Record<Watch['fires'], ComparisonOperator>> = {
  '>=': ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
  '>': ComparisonOperator.GREATER_THAN_THRESHOLD,
  '<': ComparisonOperator.LESS_THAN_THRESHOLD,
};
const MISSING: Readonly<Record<Watch['missing'], TreatMissingData>> = {
  notBreaching: TreatMissingData.NOT_BREACHING,
  breaching: TreatMissingData.BREACHING,
};
const HEADINGS: Readonly<Record<Question, string>> = {
  up: 'Is it up?', late: 'Is it late?', stuck: 'Is it stuck?', dear: 'Is it dear?',
};

export interface ObservabilityProps {
  readonly config: Config;
  readonly watched: Watched;
}

export class Observability extends Construct {
  /** Told of what must wake somebody. */
  readonly page: Topic;
  /** Told of what can wait until morning. */
  readonly notice: Topic;

  constructor(scope: Construct, id: string, private readonly props: ObservabilityProps) {
    super(scope, id);
    const { config, watched } = props;
    const key = this.topicKey();
    this.page = this.topic('Page', key);
    this.notice = this.topic('Notice', key);
    // The emulator of the local stack knows neither alarms on expressions nor composite alarms nor saved queries.
    const local = config.environment === 'local';
    const watching = watches(config, watched).filter((watch) => !local || watch.expression === undefined).map((watch) => ({ watch, alarm: this.alarm(watch) }));
    for (const { watch, alarm } of watching) if (!watch.pages) alarm.addAlarmAction(new SnsAction(this.notice));
    if (!local) {
      this.composite(watching.filter(({ watch }) => watch.pages).map(({ alarm }) => alarm));
      this.queries();
    }
    this.dashboard(watching);
  }

  /**
   * What the topics are encrypted with. A key of our own, because the policy of AWS's (`alias/aws/sns`) lets no alarm publish: the alarm
   * would go off and nobody would hear it.
   */
  private topicKey(): Key {
    const { config } = this.props;
    const key = new Key(this, 'TopicKey', {
      description: `Encrypts what the alarms of session-workers-${config.environment} say`,
      enableKeyRotation: true,
      pendingWindow: Duration.days(7),
      removalPolicy: config.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    // Without conditions, as AWS documents it: an alarm's call carries no account of the caller. Whose alarms may publish is the topic's to say.
    key.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsEncrypt',
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        resources: ['*'],
      }),
    );
    return key;
  }

  private topic(id: string, masterKey: Key): Topic {
    const topic = new Topic(this, id, {
      masterKey,
      topicName: `session-workers-${this.props.config.environment}-${id.toLowerCase()}`,
      enforceSSL: true,
    });
    // A policy of one's own replaces the default, by which the account's alarms could publish.
    topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsOfThisAccount',
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
    return topic;
  }

  private alarm(watch: Watch): Alarm {
    const { config } = this.props;
    const [breaching, of] = watch.periods;
    return new Alarm(this, pascal(watch.name), {
      alarmName: `session-workers-${config.environment}-${watch.name}`,
      alarmDescription: `${watch.says} Runbook: ${config.runbook}#${watch.name}`,
      metric: metricOf(watch),
      comparisonOperator: COMPARISON[watch.fires],
      threshold: watch.threshold,
      datapointsToAlarm: breaching,
      evaluationPeriods: of,
      treatMissingData: MISSING[watch.missing],
    });
  }

  private composite(alarms: readonly Alarm[]): void {
    const { config } = this.props;
    const all = new CompositeAlarm(this, 'Paging', {
      compositeAlarmName: `session-workers-${config.environment}-page`,
      alarmDescription: `Something that listeners notice. Which: the alarms within. Runbook: ${config.runbook}#alarms`,
      alarmRule: AlarmRule.anyOf(...alarms.map((alarm) => AlarmRule.fromAlarm(alarm, AlarmState.ALARM))),
    });
    all.addAlarmAction(new SnsAction(this.page));
    all.addOkAction(new SnsAction(this.page));
  }

  private queries(): void {
    const { config } = this.props;
    for (const query of QUERIES) {
      new CfnQueryDefinition(this, `Query ${query.name}`, {
        name: `session-workers-${config.environment}/${query.name}`,
        logGroupNames: query.of.map((side) => logGroupName(config, side)),
        queryString: query.text,
      });
    }
  }

  private dashboard(watching: readonly { readonly watch: Watch; readonly alarm: Alarm }[]): void {
    const { config } = this.props;
    const board = new Dashboard(this, 'Board', { dashboardName: `session-workers-${config.environment}`, defaultInterval: Duration.hours(3) });
    for (const question of QUESTIONS) {
      const alarms = watching.filter(({ watch }) => watch.question === question).map(({ alarm }) => alarm);
      board.addWidgets(new TextWidget({ markdown: `## ${HEADINGS[question]}`, width: 24, height: 1 }));
      board.addWidgets(new AlarmStatusWidget({ title: HEADINGS[question], alarms, width: 24, height: 3 }));
      board.addWidgets(...this.graphs(question).map(([title, left]) => new GraphWidget({ title, left: [...left], width: 8, height: 6 })));
    }
  }

  private graphs(question: Question): readonly (readonly [string, readonly IMetric[]])[] {
    const { config, watched } = this.props;
    const ours = (name: string, statistic: Source['statistic'], minutes = 1): Metric =>
      metric({ namespace: NAMESPACE, name, statistic, dimensions: { [DIMENSION]: config.environment } }, minutes);
    const lambda = (name: string, statistic: Source['statistic']): Metric =>
      metric({ namespace: 'AWS/Lambda', name, statistic, dimensions: { FunctionName: watched.functionName } }, 1);
    switch (question) {
      case 'up':
        return [
          ['Sessions', [ours('OpenSessions', 'Maximum'), ours('QueueDepth', 'Maximum'), ours('Listeners', 'Sum'), tasks(config)]],
          ['Launches and ends', [ours('Launches', 'Sum'), ours('LaunchFailures', 'Sum'), ours('Stops', 'Sum'), ours('Failures', 'Sum'), ours('BadVersions', 'Sum')]],
          ['Controller', [
            lambda('Invocations', 'Sum'), lambda('Errors', 'Sum'), lambda('Throttles', 'Sum'), ours('Looks', 'Sum'), ours('LookErrors', 'Sum'),
            ours('PoisonRecords', 'Sum'), ours('EventErrors', 'Sum'),
          ]],
        ];
      case 'late':
        return [
          ['Lag of captions, ms', [ours('LagP50', 'Average'), ours('LagP95', 'Maximum')]],
          ['Sweep and stream, ms', [ours('SweepDuration', 'Maximum'), lambda('IteratorAge', 'Maximum')]],
          ['Sessions that wait', [ours('QueueDepth', 'Minimum')]],
        ];
      case 'stuck':
        return [
          ['Oldest word without its next stage, ms', [ours('LongestWait', 'Maximum')]],
          ['Less than the full service', [ours('Degraded', 'Sum'), ours('Erasure', 'Average')]],
          ['Messages to listeners', [ours('Posts', 'Sum'), ours('PostsFailed', 'Sum')]],
          ['Audio of the speakers', [ours('SignalToNoise', 'Minimum'), ours('PacketLoss', 'Maximum'), ours('Clipping', 'Maximum')]],
          ['Longest time without the table, ms', [ours('RowUnwritten', 'Maximum')]],
          ['Throttled by DynamoDB: writes and reads of table and index', ['WriteThrottleEvents', 'ReadThrottleEvents'].flatMap((name) =>
            [{}, ...watched.indexes.map((index) => ({ GlobalSecondaryIndexName: index }))].map((of) =>
              metric({ namespace: 'AWS/DynamoDB', name, statistic: 'Sum', dimensions: { TableName: watched.tableName, ...of } }, 1)))],
          ['Sound that no stream hears, ms', [ours('SoundUnheard', 'Maximum')]],
          ['Warnings to speakers', [
            ours('WarningsSnrLow', 'Sum'), ours('WarningsClipping', 'Sum'), ours('WarningsEcho', 'Sum'), ours('WarningsSilence', 'Sum'),
            ours('WarningsPacketLoss', 'Sum'), ours('WarningsJitter', 'Sum'),
          ]],
          ['Your model of the voice', [ours('ModelJudged', 'Sum'), ours('ModelMissed', 'Sum'), ours('ModelFailed', 'Sum')]],
        ];
      case 'dear':
        return [
          ['USD an hour at list prices, without Fargate', [spending(ours)]],
          ['Speech and translation', [
            ours('TranscribedSeconds', 'Sum'), ours('TranscribeStreams', 'Sum'), ours('TranslatedCharacters', 'Sum'), ours('Translations', 'Sum'),
          ]],
          ['Fargate vCPU of the account', [metric(
            { namespace: 'AWS/Usage', name: 'ResourceCount', statistic: 'Maximum', dimensions: { Service: 'Fargate', Type: 'Resource', Resource: 'vCPU', Class: config.spot ? 'Standard/Spot' : 'Standard/OnDemand' } }, 5,
          )]],
        ];
    }
  }
}

function spending(ours: (name: string, statistic: Source['statistic'], minutes?: number) => Metric): MathExpression {
  return new MathExpression({
    expression: `seconds * ${PRICES.transcribedSecond} + characters * ${PRICES.translatedCharacter} + posts * ${PRICES.post}`,
    usingMetrics: { seconds: ours('TranscribedSeconds', 'Sum', 60), characters: ours('TranslatedCharacters', 'Sum', 60), posts: ours('Posts', 'Sum', 60) },
    period: Duration.hours(1),
    label: 'USD',
  });
}

/** Workers that run, as ECS counts them. */
function tasks(config: Config): Metric {
  return metric({ namespace: 'ECS/ContainerInsights', name: 'TaskCount', statistic: 'Maximum', dimensions: { ClusterName: clusterName(config) } }, 1);
}

function metric(source: Source, minutes: number): Metric {
  const { namespace, name, statistic, dimensions } = source;
  return new Metric({ namespace, metricName: name, statistic, dimensionsMap: { ...dimensions }, period: Duration.minutes(minutes) });
}

function metricOf(watch: Watch): IMetric {
  const sources = Object.entries(watch.sources).map(([key, source]) => [key, metric(source, watch.periodMinutes)] as const);
  if (watch.expression === undefined) {
    const [[, only] = []] = sources;
    if (only === undefined || sources.length !== 1) throw new Error(`${watch.name}: one metric, or an expression`);
    return only;
  }
  return new MathExpression({
    expression: watch.expression,
    usingMetrics: Object.fromEntries(sources),
    period: Duration.minutes(watch.periodMinutes),
    label: watch.name,
  });
}

/** `sessions-wait` → `SessionsWait`. */
function pascal(name: string): string {
  return name.split('-').map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`).join('');
}
