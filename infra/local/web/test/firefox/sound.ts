// A sound device that is no fake of the browser's: PulseAudio with a loudspeaker that nobody hears, and a microphone that hears it.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const PATIENCE = 30_000;

export class Sound {
  private player: ChildProcess | null = null;

  private constructor(readonly environment: NodeJS.ProcessEnv, private readonly folder: string, private readonly server: ChildProcess) {}

  /** A server of its own, which leaves the user's alone. */
  static async start(): Promise<Sound> {
    const folder = mkdtempSync(join(tmpdir(), 'sound-'));
    const socket = join(folder, 'socket');
    mkdirSync(join(folder, 'state'));
    const environment = { PULSE_SERVER: `unix:${socket}`, PULSE_RUNTIME_PATH: folder, PULSE_STATE_PATH: join(folder, 'state'), PULSE_COOKIE: join(folder, 'cookie') };
    const modules = [
      `module-native-protocol-unix socket=${socket} auth-anonymous=1`,
      'module-null-sink sink_name=voice rate=48000',
      'module-remap-source master=voice.monitor source_name=microphone source_properties=device.description=Microphone',
    ];
    const options = ['-n', '--daemonize=no', '--use-pid-file=no', '--exit-idle-time=-1', '--disallow-exit', '--log-target=stderr', '--log-level=error'];
    const server = spawn('pulseaudio', [...options, ...modules.flatMap((module) => ['-L', module])], { env: { ...process.env, ...environment }, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    server.stderr?.on('data', (text: Buffer) => (said += text.toString()));
    for (const begun = Date.now(); !existsSync(socket); await pause(50)) {
      if (server.exitCode !== null || Date.now() - begun > PATIENCE) throw new Error(`PulseAudio does not start: ${said}`);
    }
    return new Sound(environment, folder, server);
  }

  /** Speaks a recording into the microphone, again and again. */
  play(file: string): void {
    this.player = spawn('sh', ['-c', 'while paplay --device=voice "$1"; do :; done', 'sh', file], { env: { ...process.env, ...this.environment }, stdio: 'ignore', detached: true });
  }

  async stop(): Promise<void> {
    // The shell and the player of the moment.
    if (this.player?.pid !== undefined) process.kill(-this.player.pid, 'SIGKILL');
    if (this.server.exitCode === null) {
      this.server.kill('SIGKILL');
      await once(this.server, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
