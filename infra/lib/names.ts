// Physical names and their ARNs: operators and the siblings refer to things by name, so names are ours to choose.
import { ArnFormat, Stack } from 'aws-cdk-lib';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import type { Config, Foreign } from './config.ts';

/** The one container of a worker's task. */
export const CONTAINER = 'worker';

/** The index that the service keeps of a session's listeners. */
export const LISTENERS_INDEX = 'sessionId-targetLanguage-index';

export function clusterName(config: Config): string {
  return `session-workers-${config.environment}`;
}

export function workerFamily(config: Config): string {
  return `session-worker-${config.environment}`;
}

/** The bus that is told what happens to sessions. */
export function eventBusName(config: Config): string {
  return `session-workers-${config.environment}`;
}

/** The queue of looks that cannot wait for the next tick. */
export function timerQueueName(config: Config): string {
  return `session-timers-${config.environment}`;
}

export function logGroupName(config: Config, of: 'controller' | 'worker'): string {
  return `/session-workers/${config.environment}/${of}`;
}

/** The ARN of a table of theirs. */
export function tableArn(scope: Construct, name: string): string {
  return Stack.of(scope).formatArn({ service: 'dynamodb', resource: 'table', resourceName: name });
}

/** `arn:…:ecs:…:<resource>/<name>` */
export function ecsArn(scope: Construct, resource: string, name: string): string {
  return Stack.of(scope).formatArn({ service: 'ecs', resource, resourceName: name, arnFormat: ArnFormat.SLASH_RESOURCE_NAME });
}

/** Their value: itself, or what the SSM parameter holds when the stack is deployed. Never looked up at synthesis. */
export function foreign(scope: Construct, value: Foreign): string {
  return 'literal' in value ? value.literal : StringParameter.valueForStringParameter(scope, value.parameter);
}
