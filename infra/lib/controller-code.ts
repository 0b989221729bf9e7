// Where the controller's `bootstrap` comes from. Synthesis never needs the binary unless it is to be deployed from here.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AssetHashType, DockerImage, Validations } from 'aws-cdk-lib';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { ConfigError, type Architecture, type Config } from './config.ts';

/** `cargo lambda`'s switch for each architecture. */
const CARGO_LAMBDA: Readonly<Record<Architecture, string>> = { arm64: '--arm64', x86_64: '--x86-64' };

/**
 * In this order: `controllerCode` (an object in S3 that CI or the local stack has put there), `CONTROLLER_DIR` (a directory with a
 * built `bootstrap`), or a build with `cargo lambda`, which runs only for synth, diff and deploy.
 */
export function controllerCode(scope: Construct, config: Config, workspace: string): Code {
  if (config.controllerCode !== undefined) {
    Validations.of(scope).acknowledge({
      id: 'Annotation::@aws-cdk/aws-lambda:codeFromBucketObjectVersionNotSpecified',
      reason: 'Each build has a key of its own, so a new build is a new key in the template.',
    });
    return Code.fromBucketV2(Bucket.fromBucketName(scope, 'Code', config.controllerCode.bucket), config.controllerCode.key);
  }
  const directory = process.env['CONTROLLER_DIR'];
  if (directory !== undefined) {
    if (!existsSync(join(directory, 'bootstrap'))) {
      throw new ConfigError(`CONTROLLER_DIR=${directory}: has no file named bootstrap; put the built controller there under that name`);
    }
    return Code.fromAsset(directory);
  }
  return Code.fromAsset(join(workspace, 'controller'), {
    // The bytes that come out decide: a rebuild of the same controller deploys nothing.
    assetHashType: AssetHashType.OUTPUT,
    bundling: {
      image: DockerImage.fromRegistry('none'),
      local: {
        tryBundle(output: string): boolean {
          cargoLambda(config.architecture, workspace, output);
          return true;
        },
      },
    },
  });
}

function cargoLambda(architecture: Architecture, workspace: string, output: string): void {
  const build = ['lambda', 'build', '--release', CARGO_LAMBDA[architecture], '-p', 'controller', '--bin', 'controller'];
  try {
    execFileSync('cargo', [...build, '--lambda-dir', output, '--flatten', 'controller'], {
      cwd: workspace,
      stdio: ['ignore', process.stderr, 'inherit'],
    });
  } catch {
    throw new ConfigError('cargo lambda could not build the controller (see above): pip install cargo-lambda==1.9.2, or set CONTROLLER_DIR');
  }
}
