// The worker: one Fargate task per session, started by the controller from this definition. Nothing here runs by itself.
import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import {
  Capability, CfnCluster, Cluster, ContainerImage, ContainerInsights, CpuArchitecture, FargateTaskDefinition, GenericLogDriver, LinuxParameters,
  OperatingSystemFamily,
} from 'aws-cdk-lib/aws-ecs';
import { DockerImageAsset, Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { captionVariables, portRangeText, type Config } from '../config.ts';
import { allow } from '../iam.ts';
import { CONTAINER, LISTENERS_INDEX, clusterName, foreign, logGroupName, tableArn, workerFamily } from '../names.ts';
import type { Network } from './network.ts';
import type { State } from './state.ts';

/** Root of nothing: a user without a name, as in worker/Dockerfile. */
const USER = '65532:65532';

/** The exit codes that the worker chooses itself (`CHOSEN_EXITS` of schemas/src/worker.rs): nothing is begun again after one of them. */
const CHOSEN_EXITS = [0, 1, 2, 3, 143];

/** A container that ran for less is not begun again but its task replaced: the shortest that ECS allows (schemas/src/limits.rs). */
const RESTART_ATTEMPT_PERIOD = Duration.seconds(60);

/** A repository of ECR in an image's name: account, region, repository. */
const ECR = /^(\d{12})\.dkr\.ecr\.([\w-]+)\.amazonaws\.com\/([^@:]+)[@:]/;

export interface WorkerFleetProps {
  readonly config: Config;
  readonly network: Network;
  readonly state: State;
  /** Root of the repository: the context of the image build. */
  readonly workspace: string;
}

export class WorkerFleet extends Construct {
  readonly cluster: Cluster;
  readonly taskDefinition: FargateTaskDefinition;
  readonly taskRole: Role;
  readonly executionRole: Role;

  constructor(scope: Construct, id: string, private readonly props: WorkerFleetProps) {
    super(scope, id);
    const { config, network } = props;
    this.cluster = new Cluster(this, 'Cluster', {
      clusterName: clusterName(config),
      vpc: network.vpc,
      containerInsightsV2: ContainerInsights.ENABLED,
    });
    if (config.spot) {
      // The property, not the association resource: that one would have to be taken away before the cluster can be.
      (this.cluster.node.defaultChild as CfnCluster).capacityProviders = ['FARGATE', 'FARGATE_SPOT'];
    }
    const logs = new LogGroup(this, 'Logs', {
      logGroupName: logGroupName(config, 'worker'),
      retention: config.logRetentionDays,
      removalPolicy: config.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    this.taskRole = new Role(this, 'TaskRole', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
    this.executionRole = new Role(this, 'ExecutionRole', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
    this.allowWork();
    allow(this.executionRole, {
      sid: 'WriteWorkerLogs',
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [logs.logGroupArn],
      wildcard: 'The ARN of a log group ends in :* for its streams.',
    });
    this.taskDefinition = this.define(logs);
  }

  private define(logs: LogGroup): FargateTaskDefinition {
    const { config } = this.props;
    const definition = new FargateTaskDefinition(this, 'Task', {
      family: workerFamily(config),
      cpu: config.worker.cpu,
      memoryLimitMiB: config.worker.memoryMiB,
      runtimePlatform: {
        operatingSystemFamily: OperatingSystemFamily.LINUX,
        cpuArchitecture: config.architecture === 'arm64' ? CpuArchitecture.ARM64 : CpuArchitecture.X86_64,
      },
      taskRole: this.taskRole,
      executionRole: this.executionRole,
    });
    const linuxParameters = new LinuxParameters(this, 'Linux');
    linuxParameters.dropCapabilities(Capability.ALL);
    definition.addContainer(CONTAINER, {
      image: this.image(),
      user: USER,
      readonlyRootFilesystem: true,
      linuxParameters,
      // A crash is over in seconds where a new task takes half a minute: the process begins again within its task, claims the next
      // generation, and counts as a failure like any other. What the worker decides to end stays ended.
      enableRestartPolicy: true,
      restartIgnoredExitCodes: CHOSEN_EXITS,
      restartAttemptPeriod: RESTART_ATTEMPT_PERIOD,
      // The longest that Fargate allows: the last words are flushed and the listeners told.
      stopTimeout: Duration.seconds(120),
      environment: this.environment(),
      // The generic driver, because the specific one adds a grant without a Sid to the role.
      logging: new GenericLogDriver({
        logDriver: 'awslogs',
        options: {
          'awslogs-group': logs.logGroupName,
          'awslogs-region': Stack.of(this).region,
          'awslogs-stream-prefix': 'task',
          // A log back end that stalls must not stall the captions.
          mode: 'non-blocking',
        },
      }),
    });
    Validations.of(definition).acknowledge({ id: 'AwsSolutions-ECS2', reason: 'The variables are names and switches; no secret is among them.' });
    return definition;
  }

  private environment(): Record<string, string> {
    const { config, state } = this.props;
    return {
      AWS_REGION: Stack.of(this).region,
      SESSION_ENV: config.environment,
      WORKERS_TABLE: state.table.tableName,
      CONNECTIONS_TABLE: config.connectionsTable,
      WEBSOCKET_ENDPOINT: this.webSocketEndpoint(),
      ICE_BIND: config.iceBind,
      ICE_PORTS: portRangeText(config.icePorts),
      PARTIALS: config.partials,
      EMOTION: config.emotion,
      ...captionVariables(config.captions),
      LOG_LEVEL: config.logLevel,
    };
  }

  private webSocketEndpoint(): string {
    const { apiId, stage, endpoint } = this.props.config.webSocket;
    const { region, urlSuffix } = Stack.of(this);
    return endpoint ?? `https://${foreign(this, apiId)}.execute-api.${region}.${urlSuffix}/${stage}`;
  }

  private image(): ContainerImage {
    const { config, workspace } = this.props;
    if (config.workerImage === undefined) {
      const asset = new DockerImageAsset(this, 'Image', {
        directory: workspace,
        file: 'worker/Dockerfile',
        platform: config.architecture === 'arm64' ? Platform.LINUX_ARM64 : Platform.LINUX_AMD64,
      });
      this.allowPull(asset.repository.repositoryArn);
      return ContainerImage.fromRegistry(asset.imageUri);
    }
    const [, account, region, repository] = ECR.exec(config.workerImage) ?? [];
    if (repository !== undefined) {
      Validations.of(this).acknowledge({ id: 'Annotation::@aws-cdk/aws-ecs:ecrImageRequiresPolicy', reason: 'PullWorkerImage is that policy.' });
      this.allowPull(Stack.of(this).formatArn({ service: 'ecr', account, region, resource: 'repository', resourceName: repository }));
    }
    return ContainerImage.fromRegistry(config.workerImage);
  }

  private allowPull(repositoryArn: string): void {
    allow(this.executionRole, {
      sid: 'PullWorkerImage',
      actions: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
      resources: [repositoryArn],
    });
    allow(this.executionRole, {
      sid: 'LogInToEcr',
      actions: ['ecr:GetAuthorizationToken'],
      resources: ['*'],
      wildcard: 'The log-in to ECR is per account: AWS defines no resource for it.',
    });
  }

  /** What the worker itself may do. All workers share this role; whose row they may write is fenced by generation, not by IAM. */
  private allowWork(): void {
    const { config, state } = this.props;
    const { webSocket } = config;
    const stack = Stack.of(this);
    allow(this.taskRole, {
      sid: 'KeepOwnRow',
      actions: ['dynamodb:GetItem', 'dynamodb:UpdateItem'],
      resources: [state.table.tableArn],
    });
    allow(this.taskRole, {
      sid: 'FindListeners',
      actions: ['dynamodb:Query'],
      resources: [`${tableArn(this, config.connectionsTable)}/index/${LISTENERS_INDEX}`],
    });
    allow(this.taskRole, {
      sid: 'ForgetListeners',
      actions: ['dynamodb:DeleteItem'],
      resources: [tableArn(this, config.connectionsTable)],
    });
    allow(this.taskRole, {
      sid: 'JoinSpeaker',
      actions: ['kinesisvideo:ConnectAsViewer', 'kinesisvideo:GetIceServerConfig', 'kinesisvideo:GetSignalingChannelEndpoint'],
      resources: [stack.formatArn({ service: 'kinesisvideo', resource: 'channel', resourceName: 'session-*/*' })],
      wildcard: 'The service makes one channel per session, named session-{id}/{creation time}.',
    });
    allow(this.taskRole, {
      sid: 'ReadStream',
      actions: ['kinesisvideo:GetDataEndpoint', 'kinesisvideo:GetMedia'],
      resources: [stack.formatArn({ service: 'kinesisvideo', resource: 'stream', resourceName: '*/*' })],
      wildcard: 'A session with a kvsStreamArn names a stream of the product, and no rule says how those are called.',
    });
    allow(this.taskRole, {
      sid: 'Transcribe',
      actions: ['transcribe:StartStreamTranscription'],
      resources: ['*'],
      wildcard: 'AWS defines no resource for streaming transcription.',
    });
    allow(this.taskRole, {
      sid: 'Translate',
      actions: ['translate:TranslateText'],
      resources: ['*'],
      wildcard: 'AWS defines no resource for text translation without custom terminologies.',
    });
    allow(this.taskRole, {
      sid: 'PostToListeners',
      actions: ['execute-api:ManageConnections'],
      resources: [
        stack.formatArn({ service: 'execute-api', resource: foreign(this, webSocket.apiId), resourceName: `${webSocket.stage}/POST/@connections/*` }),
      ],
      wildcard: 'Connection ids exist only while a listener is connected.',
    });
  }
}
