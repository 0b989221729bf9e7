// Which AWS operations a binary calls, read from its sources: every `.operation()` of a client whose crate the file names. Which words
// are operations is read from the SDK crates themselves.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { WORKSPACE } from '../lib/app.ts';

/** Crates of the SDK whose name is not the prefix of the actions. */
const PREFIX: Readonly<Record<string, string>> = {
  eventbridge: 'events', kinesisvideosignaling: 'kinesisvideo', kinesisvideomedia: 'kinesisvideo', transcribestreaming: 'transcribe',
};
/** Operations whose permission has another name (API Gateway developer guide, "Control access to a WebSocket API"). */
const RENAMED: Readonly<Record<string, string>> = { 'apigatewaymanagement:PostToConnection': 'execute-api:ManageConnections' };

interface Package {
  readonly name: string;
  readonly manifest_path: string;
}

/** Operations of each crate of the SDK: `run_task` of `ecs`. */
const OPERATIONS: ReadonlyMap<string, readonly string[]> = (() => {
  const text = execFileSync('cargo', ['metadata', '--locked', '--offline', '--format-version', '1'], { cwd: WORKSPACE, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'] });
  const { packages } = JSON.parse(text) as { packages: Package[] };
  return new Map(packages.filter(({ name }) => name.startsWith('aws-sdk-')).map(({ name, manifest_path }) => {
    const files = readdirSync(join(dirname(manifest_path), 'src/client'));
    // `customize` changes how an operation is called, and is none.
    return [name.slice('aws-sdk-'.length), files.filter((file) => file.endsWith('.rs') && file !== 'customize.rs').map((file) => file.slice(0, -3))];
  }));
})();

/** The actions that the sources under these folders call, sorted. Unit tests at the end of a file do not count. */
export function calledActions(...folders: string[]): string[] {
  const actions = folders.flatMap((folder) => {
    const path = join(WORKSPACE, folder);
    return readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.rs')).flatMap((file) => actionsOfFile(join(path, file)));
  });
  return [...new Set(actions)].sort();
}

function actionsOfFile(path: string): string[] {
  const [source = ''] = readFileSync(path, 'utf8').split('#[cfg(test)]');
  const code = source.replace(/\/\/.*$/gm, '');
  const crates = new Set([...code.matchAll(/\baws_sdk_(\w+)\b/g)].map((match) => match[1] ?? ''));
  const words = new Set([...code.matchAll(/\.\s*([a-z]\w*)\(\)/g)].map((match) => match[1] ?? ''));
  return [...crates].flatMap((crate) => (OPERATIONS.get(crate) ?? []).filter((operation) => words.has(operation)).map((operation) => action(crate, operation)));
}

function action(crate: string, operation: string): string {
  const name = operation.replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
  return RENAMED[`${crate}:${name}`] ?? `${PREFIX[crate] ?? crate}:${name}`;
}
