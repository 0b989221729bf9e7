// What happened to a session, for whoever wants to know. The bus is ours and holds no rule of ours: who listens brings the rule.
import { EventBus } from 'aws-cdk-lib/aws-events';
import { Construct } from 'constructs';
import type { Config } from '../config.ts';
import { eventBusName } from '../names.ts';

export class Events extends Construct {
  readonly bus: EventBus;

  constructor(scope: Construct, id: string, config: Config) {
    super(scope, id);
    this.bus = new EventBus(this, 'Bus', {
      eventBusName: eventBusName(config),
      description: 'What happens to the workers of sessions',
    });
  }
}
