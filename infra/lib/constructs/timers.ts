// Looks that cannot wait for the next tick: messages with a delay, delivered to the controller when they are due. Losing one costs no more than
// the wait for that tick, so there is no dead-letter queue, and a late one is forgotten.
import { Duration, Validations } from 'aws-cdk-lib';
import { AnyPrincipal, Effect, PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import { EventSourceMapping, type IFunction } from 'aws-cdk-lib/aws-lambda';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Config } from '../config.ts';
import { allow } from '../iam.ts';
import { timerQueueName } from '../names.ts';

/** A timer that has not been delivered by then tells nothing that a tick has not seen: the delay counts, too. */
const STALE = Duration.minutes(5);

export class Timers extends Construct {
  readonly queue: Queue;

  constructor(scope: Construct, id: string, config: Config, invocation: Duration) {
    super(scope, id);
    this.queue = new Queue(this, 'Queue', {
      queueName: timerQueueName(config),
      encryption: QueueEncryption.SQS_MANAGED,
      retentionPeriod: STALE,
      // Nobody else gets a message while an invocation has it.
      visibilityTimeout: invocation.plus(Duration.seconds(5)),
    });
    this.queue.addToResourcePolicy(
      new PolicyStatement({
        sid: 'OnlyOverTls',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['sqs:*'],
        resources: [this.queue.queueArn],
        conditions: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    );
    Validations.of(this.queue).acknowledge({ id: 'AwsSolutions-SQS3', reason: 'A timer that is lost costs no more than the wait for the next tick.' });
  }

  /** Messages that are due wake the function, ten at a time; what is reported as failed is delivered again. */
  wake(target: IFunction, role: Role): void {
    new EventSourceMapping(this, 'Due', {
      target,
      eventSourceArn: this.queue.queueArn,
      batchSize: 10,
      reportBatchItemFailures: true,
      // Ticks and streams need their share of the function's concurrency.
      maxConcurrency: 4,
    });
    allow(role, { sid: 'SetTimers', actions: ['sqs:SendMessage'], resources: [this.queue.queueArn] });
    allow(role, {
      sid: 'TakeTimers',
      actions: ['sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ReceiveMessage'],
      resources: [this.queue.queueArn],
    });
  }
}
