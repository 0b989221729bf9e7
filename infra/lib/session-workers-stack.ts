// One stack: everything that is ours in one environment. Theirs (sessions, connections, WebSocket API) comes in by name only, and
// nothing is exported, so neither side can lock the other.
import { CfnOutput, Fn, Stack, Tags, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Config } from './config.ts';
import { Controller } from './constructs/controller.ts';
import { Events } from './constructs/events.ts';
import { Network } from './constructs/network.ts';
import { Observability } from './constructs/observability.ts';
import { State } from './constructs/state.ts';
import { WorkerFleet } from './constructs/worker-fleet.ts';

export interface SessionWorkersProps extends StackProps {
  readonly config: Config;
  /** Root of the repository. */
  readonly workspace: string;
}

export class SessionWorkersStack extends Stack {
  constructor(scope: Construct, id: string, props: SessionWorkersProps) {
    super(scope, id, props);
    const { config, workspace } = props;
    const network = new Network(this, 'Network', config);
    const state = new State(this, 'State', config);
    const events = new Events(this, 'Events', config);
    const fleet = new WorkerFleet(this, 'Workers', { config, network, state, workspace });
    const controller = new Controller(this, 'Controller', { config, network, state, events, fleet, workspace });
    const { page, notice } = new Observability(this, 'Observability', { config, watched: controller.watched });

    Tags.of(this).add('service', 'session-workers');
    Tags.of(this).add('environment', config.environment);
    new CfnOutput(this, 'WorkersTable', { value: state.table.tableName });
    new CfnOutput(this, 'ControllerFunction', { value: controller.function.functionName });
    new CfnOutput(this, 'TaskDefinition', { value: fleet.taskDefinition.taskDefinitionArn });
    new CfnOutput(this, 'EventBus', { value: events.bus.eventBusName });
    new CfnOutput(this, 'UndeliveredQueue', { value: controller.undelivered.queueUrl });
    new CfnOutput(this, 'DiscardedRecords', { value: controller.discarded.bucketName });
    new CfnOutput(this, 'PageTopic', { value: page.topicArn });
    new CfnOutput(this, 'NoticeTopic', { value: notice.topicArn });
  }

  /** Chosen at deployment: a lookup at synthesis would need the account. */
  override get availabilityZones(): string[] {
    return [0, 1].map((index) => Fn.select(index, Fn.getAzs()));
  }
}
