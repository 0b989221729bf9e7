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

/** How long a browser may take to open its sound device. */
const DEVICE_MS = 2_000;

export async function recording(url: string, audible: boolean): Promise<Source> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: HTTP ${answer.status}`);
  const sound = await answer.arrayBuffer();
  const context = new AudioContext();
  const buffer = await context.decodeAudioData(sound.slice(0));
  if (await runs(context)) return mixed(context, buffer, audible);
  // Firefox starts no AudioContext on a machine without a sound device, and says so to nobody: resume() stays open. An element plays there.
  void context.close();
  return played(sound, buffer, audible);
}

async function runs(context: AudioContext): Promise<boolean> {
  const patience = new Promise((over) => setTimeout(over, DEVICE_MS));
  await Promise.race([context.resume(), patience]);
  return context.state === 'running';
}

/** Played by the browser's mixer. */
function mixed(context: AudioContext, buffer: AudioBuffer, audible: boolean): Source {
  const player = new AudioBufferSourceNode(context, { buffer });
  const destination = context.createMediaStreamDestination();
  const meter = meterOf(context, player);
  player.connect(destination);
  // A microphone is never without samples: when nothing plays into the track, Chromium stops sending, and the worker would look for a
  // speaker who has gone.
  const silence = new ConstantSourceNode(context, { offset: 0 });
  silence.connect(destination);
  silence.start();
  if (audible) player.connect(context.destination);
  const over = new Promise<void>((done) => player.addEventListener('ended', () => done()));
  let begun = false;
  const begin = () => {
    if (!begun) player.start();
    begun = true;
  };
  return { track: only(destination.stream), begin, level: meter, close: () => void context.close(), over };
}

/** Played by an element, whose sound is caught on its way. Firefox sends silence before and behind it by itself. */
async function played(sound: ArrayBuffer, buffer: AudioBuffer, audible: boolean): Promise<Source> {
  const url = URL.createObjectURL(new Blob([sound]));
  const element = new Audio(url);
  element.muted = !audible;
  const stream = (element as HTMLAudioElement & { captureStream(): MediaStream }).captureStream();
  await new Promise<void>((known, failed) => {
    element.addEventListener('loadedmetadata', () => known());
    element.addEventListener('error', () => failed(new Error(`this browser plays no recording: ${element.error?.message ?? 'unknown'}`)));
  });
  const over = new Promise<void>((done) => element.addEventListener('ended', () => done()));
  const close = () => {
    element.pause();
    URL.revokeObjectURL(url);
  };
  // Where a browser lets no page be loud by itself, the listeners still get the words.
  const begin = () => void element.play().catch(() => {
    element.muted = true;
    return element.play();
  });
  return { track: only(stream), begin, level: () => levelAt(buffer, element), close, over };
}

/** How loud the recording is where the element is now: what a meter would hear, which needs a running context. */
function levelAt(buffer: AudioBuffer, element: HTMLAudioElement): Level {
  if (element.paused) return { rms: 0, peak: 0 };
  const from = Math.floor(element.currentTime * buffer.sampleRate);
  return loudness(buffer.getChannelData(0).subarray(from, from + METERED));
}

function only(stream: MediaStream): MediaStreamTrack {
  const track = stream.getAudioTracks()[0];
  if (track === undefined) throw new Error('this browser plays no audio into a track');
  return track;
}

/** Samples that a level is taken of: as long a moment as passes between two looks at it, or a click would be missed. */
const METERED = 8_192;

function meterOf(context: AudioContext, from: AudioNode): () => Level {
  const analyser = new AnalyserNode(context, { fftSize: METERED });
  const samples = new Float32Array(analyser.fftSize);
  from.connect(analyser);
  return () => {
    analyser.getFloatTimeDomainData(samples);
    return loudness(samples);
  };
}

function loudness(samples: Float32Array): Level {
  const squares = samples.reduce((sum, sample) => sum + sample * sample, 0);
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  return { rms: Math.sqrt(squares / Math.max(1, samples.length)), peak };
}
