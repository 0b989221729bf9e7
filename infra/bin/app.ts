// Entry point, for the CDK CLI (which passes context and output directory by environment) and by itself:
//   node --import tsx bin/app.ts -c env=local -c key=value … -o DIR
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { INFRA, sessionWorkersApp } from '../lib/app.ts';
import { ConfigError } from '../lib/config.ts';

function main(): void {
  const { values } = parseArgs({
    options: { context: { type: 'string', short: 'c', multiple: true, default: [] }, output: { type: 'string', short: 'o' } },
  });
  const underCli = process.env['CDK_OUTDIR'] !== undefined;
  const context = underCli ? {} : { ...fileContext(), ...Object.fromEntries(values.context.map(pair)) };
  const outdir = underCli ? {} : { outdir: values.output ?? join(INFRA, 'cdk.out') };
  const assembly = sessionWorkersApp({ context, ...outdir }).synth();
  if (!underCli) process.stdout.write(`${assembly.stacks.map((stack) => stack.templateFullPath).join('\n')}\n`);
}

/** The feature flags that the CLI would pass. */
function fileContext(): Record<string, unknown> {
  const file = JSON.parse(readFileSync(join(INFRA, 'cdk.json'), 'utf8')) as { context: Record<string, unknown> };
  return file.context;
}

function pair(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new ConfigError(`-c ${text}: expected -c key=value`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

try {
  main();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
