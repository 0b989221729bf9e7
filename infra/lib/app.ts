// The app around the stack: which environment, which checks.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { App, DefaultStackSynthesizer, Validations, type AppProps } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { loadConfig } from './config.ts';
import { SessionWorkersStack } from './session-workers-stack.ts';

/** infra/ and the root of the repository. */
export const INFRA = dirname(dirname(fileURLToPath(import.meta.url)));
export const WORKSPACE = dirname(INFRA);

/**
 * The app of the environment that the context names (`-c env=dev`). The local environment has no account to protect and its template
 * is the one that the tests check, so its synthesis leaves the checks out: it is part of every start of the local stack.
 */
export function sessionWorkersApp(props: AppProps, configDirectory: string = join(INFRA, 'config')): App {
  const env: unknown = new App({ ...props, autoSynth: false }).node.tryGetContext('env');
  const local = env === 'local';
  const app = new App({ ...props, treeMetadata: !local, builtinCloudFormationValidation: !local });
  const config = loadConfig(env, configDirectory, (key) => app.node.tryGetContext(key) as unknown);
  new SessionWorkersStack(app, `SessionWorkers-${config.environment}`, {
    config,
    workspace: WORKSPACE,
    description: `Workers that transcribe and translate live sessions (${config.environment})`,
    env: { account: config.account, region: config.region },
    terminationProtection: config.retain,
    // Small enough to be read whole by any tool: half of it would be blanks.
    suppressTemplateIndentation: true,
    // The rule would read an SSM parameter of the bootstrap stack, which the local stack does not have.
    synthesizer: new DefaultStackSynthesizer({ generateBootstrapVersionRule: !local }),
  });
  if (!local) Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return app;
}
