// Where the voice comes from: the microphone, or a recording that is played into a track of its own.
import type { Level } from './meter.ts';
import { MICROPHONE } from './speaker.ts';

export interface Source {
  track: MediaStreamTrack;
  /** Begins to speak; a microphone does already. */
  begin(): void;
  /** How loud it is now. */
  level(): Level;
  close(): void;
  /** When a recording is over. */
  over: Promise<void>;
}

export async function microphone(): Promise<Source> {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE });
  const track = stream.getAudioTracks()[0];
  if (track === undefined) throw new Error('this browser gave no microphone');
  const context = new AudioContext();
  const meter = meterOf(context, context.createMediaStreamSource(stream));
  return { track, begin: () => {}, level: meter, close: () => void context.close(), over: new Promise(() => {}) };
}

export async function recording(url: string, audible: boolean): Promise<Source> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: HTTP ${answer.status}`);
  const context = new AudioContext();
  await context.resume();
  const player = new AudioBufferSourceNode(context, { buffer: await context.decodeAudioData(await answer.arrayBuffer()) });
  const destination = context.createMediaStreamDestination();
  const meter = meterOf(context, player);
  player.connect(destination);
  // A microphone is never without samples: when nothing plays into the track, Chromium stops sending, and the worker would look for a
  // speaker who has gone.
  const silence = new ConstantSourceNode(context, { offset: 0 });
  silence.connect(destination);
  silence.start();
  if (audible) player.connect(context.destination);
  const track = destination.stream.getAudioTracks()[0];
  if (track === undefined) throw new Error('this browser plays no audio into a track');
  const over = new Promise<void>((done) => player.addEventListener('ended', () => done()));
  let begun = false;
  const begin = () => {
    if (!begun) player.start();
    begun = true;
  };
  return { track, begin, level: meter, close: () => void context.close(), over };
}

/** As long a moment as passes between two looks at it, or a click would be missed. */
function meterOf(context: AudioContext, from: AudioNode): () => Level {
  const analyser = new AnalyserNode(context, { fftSize: 8_192 });
  const samples = new Float32Array(analyser.fftSize);
  from.connect(analyser);
  return () => {
    analyser.getFloatTimeDomainData(samples);
    const squares = samples.reduce((sum, sample) => sum + sample * sample, 0);
    return { rms: Math.sqrt(squares / samples.length), peak: samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0) };
  };
}
