// IAM's decision for a role, over the template: the statements of its policies, references filled in with the names that the resources
// get. Enough for these policies; anything else is refused, so that no right is proved by a rule that ignores half of it.
import type { Template } from 'aws-cdk-lib/assertions';
import { ACCOUNT, statements, type Statement } from './support.ts';

export interface Request {
  readonly action: string;
  readonly resource: string;
  readonly context?: Readonly<Record<string, string>>;
}

const REGION = 'us-east-1';

/** Whether the policies whose logical id matches allow the request. */
export function allows(of: Template, policy: RegExp, request: Request): boolean {
  const found = statements(of).filter((entry) => policy.test(entry.policy)).map(({ statement }) => statement);
  if (found.length === 0) throw new Error(`no policy is called ${String(policy)}`);
  if (found.some((statement) => statement.Effect !== 'Allow')) throw new Error('Deny is not imitated');
  return found.some((statement) => applies(of, statement, request));
}

function applies(of: Template, statement: Statement, { action, resource, context = {} }: Request): boolean {
  if (![statement.Action].flat().includes(action)) return false;
  const resources = [statement.Resource].flat().map((value) => text(of, value));
  return resources.some((pattern) => like(pattern, resource)) && meets(of, statement.Condition ?? {}, context);
}

function meets(of: Template, condition: object, context: Readonly<Record<string, string>>): boolean {
  return Object.entries(condition as Record<string, Record<string, unknown>>).every(([operator, keys]) => {
    if (operator !== 'ArnEquals' && operator !== 'StringEquals') throw new Error(`${operator} is not imitated`);
    return Object.entries(keys).every(([key, value]) => context[key] === text(of, value));
  });
}

function like(pattern: string, value: string): boolean {
  return new RegExp(`^${pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`).test(value);
}

/** A value of the template as it will be: names where we give them, `LogicalId` where CloudFormation does. */
function text(of: Template, value: unknown): string {
  if (typeof value === 'string') return value;
  const [[name = '', argument] = []] = Object.entries(value as Record<string, unknown>);
  if (name === 'Fn::Join') {
    const [separator, parts] = argument as [string, unknown[]];
    return parts.map((part) => text(of, part)).join(separator);
  }
  if (name === 'Ref') {
    const pseudo: Record<string, string> = { 'AWS::Region': REGION, 'AWS::AccountId': ACCOUNT, 'AWS::Partition': 'aws', 'AWS::URLSuffix': 'amazonaws.com' };
    return pseudo[String(argument)] ?? String(argument);
  }
  if (name === 'Fn::GetAtt') return attribute(of, argument as [string, string]);
  throw new Error(`${JSON.stringify(value)} is not imitated`);
}

function attribute(of: Template, [id, name]: [string, string]): string {
  const resource = (of.toJSON()['Resources'] as Record<string, { Type: string; Properties?: Record<string, unknown> }>)[id];
  const given = (key: string): string => text(of, resource?.Properties?.[key] ?? id);
  const arn = (service: string, rest: string): string => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`;
  switch (`${resource?.Type} ${name}`) {
    case 'AWS::DynamoDB::Table Arn': return arn('dynamodb', `table/${given('TableName')}`);
    case 'AWS::DynamoDB::Table StreamArn': return arn('dynamodb', `table/${given('TableName')}/stream/2026`);
    case 'AWS::ECS::Cluster Arn': return arn('ecs', `cluster/${given('ClusterName')}`);
    case 'AWS::Events::EventBus Arn': return arn('events', `event-bus/${given('Name')}`);
    case 'AWS::IAM::Role Arn': return `arn:aws:iam::${ACCOUNT}:role/${id}`;
    case 'AWS::Logs::LogGroup Arn': return arn('logs', `log-group:${given('LogGroupName')}:*`);
    case 'AWS::SQS::Queue Arn': return arn('sqs', given('QueueName'));
    case 'AWS::S3::Bucket Arn': return `arn:aws:s3:::${id.toLowerCase()}`;
    default: throw new Error(`${resource?.Type} ${name} is not imitated`);
  }
}
