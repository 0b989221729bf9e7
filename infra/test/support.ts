// Apps and templates for the tests: examples filled in as an operator would, code and image given so that nothing is built.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { INFRA, sessionWorkersApp } from '../lib/app.ts';
import type { Environment } from '../lib/config.ts';

export const ACCOUNT = '111122223333';
export const IMAGE = `${ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/session-worker@sha256:${'0'.repeat(64)}`;

process.env['CONTROLLER_DIR'] = join(INFRA, 'test/fixtures/bootstrap');

/** Synthesis writes; what it wrote goes when the tests are over. */
const scratch = mkdtempSync(join(tmpdir(), 'session-workers-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** What an operator, or the local stack, adds to the committed files. */
const FILLED: Readonly<Record<Environment, Readonly<Record<string, string>>>> = {
  dev: { config: 'dev.json.example', account: ACCOUNT, workerImage: IMAGE },
  staging: { config: 'staging.json.example', account: ACCOUNT, workerImage: IMAGE },
  prod: { config: 'prod.json.example', account: ACCOUNT, workerImage: IMAGE },
  local: {
    sessionsStreamArn: 'arn:aws:dynamodb:us-east-1:000000000000:table/Sessions-local/stream/2026-01-01T00:00:00.000',
    webSocketEndpoint: 'http://127.0.0.1:4566/_aws/execute-api/abc123/prod',
  },
};

/** `context` lies over what is filled in; an empty value takes the key away. */
export function app(env: Environment, context: Readonly<Record<string, string>> = {}): App {
  const flags = JSON.parse(readFileSync(join(INFRA, 'cdk.json'), 'utf8')) as { context: Record<string, unknown> };
  const given = Object.entries({ ...FILLED[env], ...context }).filter(([, value]) => value !== '');
  return sessionWorkersApp({ outdir: mkdtempSync(join(scratch, 'out-')), context: { ...flags.context, env, ...Object.fromEntries(given) } });
}

export function stackOf(of: App): Stack {
  return of.node.children[0] as Stack;
}

/** Nobody changes a template, so each is made once. */
const made = new Map<string, Template>();

export function template(env: Environment, context: Readonly<Record<string, string>> = {}): Template {
  const key = JSON.stringify([env, context]);
  const known = made.get(key) ?? Template.fromStack(stackOf(app(env, context)));
  made.set(key, known);
  return known;
}

interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}

/** The properties of the only resource of a type. */
export function only<T>(of: Template, type: string): T {
  const found = Object.values(of.findResources(type)) as Resource[];
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} resources of type ${type}, expected one`);
  return found[0].Properties as T;
}

export interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

/** Every statement of every policy, with the logical id of the policy that holds it. */
export function statements(of: Template): { readonly policy: string; readonly statement: Statement }[] {
  const policies = { ...of.findResources('AWS::IAM::Policy'), ...of.findResources('AWS::SQS::QueuePolicy') };
  return Object.entries(policies).flatMap(([policy, resource]) => {
    const { PolicyDocument } = (resource as Resource).Properties as { PolicyDocument: { Statement: Statement[] } };
    return PolicyDocument.Statement.map((statement) => ({ policy, statement }));
  });
}

/** The actions that the policies whose logical id matches allow, sorted, each once. */
export function actionsOf(of: Template, policy: RegExp): string[] {
  const found = statements(of).filter((entry) => policy.test(entry.policy));
  return [...new Set(found.flatMap(({ statement }) => statement.Action))].sort();
}

/** The environment of the worker's container. */
export function workerEnvironment(of: Template): Map<string, unknown> {
  const { ContainerDefinitions } = only<{ ContainerDefinitions: { Environment: { Name: string; Value: unknown }[] }[] }>(of, 'AWS::ECS::TaskDefinition');
  return new Map(ContainerDefinitions.flatMap((container) => container.Environment).map(({ Name, Value }) => [Name, Value]));
}

/** The environment of the controller. */
export function controllerEnvironment(of: Template): Map<string, unknown> {
  return new Map(Object.entries(only<{ Environment: { Variables: Record<string, unknown> } }>(of, 'AWS::Lambda::Function').Environment.Variables));
}
