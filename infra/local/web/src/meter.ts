// What a person is told of how loud they are, before a session and in it.

/** Of full scale, 0 to 1: the mean of a moment, and its highest sample. */
export interface Level {
  rms: number;
  peak: number;
}

/** `listening`: too early to say. */
export type Verdict = 'listening' | 'silent' | 'soft' | 'good' | 'clips';

/** What was loud this long ago still counts: people pause between sentences. */
const MEMORY_MS = 4_000;
/** A microphone that is on in a quiet room is below the first, a voice that is well understood is above the second, dBFS. */
const [SILENT_DB, SOFT_DB] = [-60, -42];
/** Converters cut what is louder; so close to full scale nothing is left of the wave's top. */
const CLIPS = 0.985;
/** The bar's left end, dBFS. */
const FLOOR_DB = -60;

export const decibels = (share: number): number => (share <= 0 ? -Infinity : 20 * Math.log10(share));

/** How far the bar reaches, 0 to 1: as ears hear it, not as converters count. */
export const bar = ({ rms }: Level): number => Math.min(1, Math.max(0, 1 - decibels(rms) / FLOOR_DB));

/** The last seconds of one source. */
export class Ear {
  private heard: (Level & { at: number })[] = [];

  constructor(private readonly since: number) {}

  take(level: Level, now: number): Verdict {
    this.heard.push({ ...level, at: now });
    this.heard = this.heard.filter(({ at }) => now - at < MEMORY_MS);
    if (this.heard.some(({ peak }) => peak >= CLIPS)) return 'clips';
    const loudest = decibels(Math.max(...this.heard.map(({ rms }) => rms)));
    if (loudest >= SOFT_DB) return 'good';
    if (now - this.since < MEMORY_MS) return 'listening';
    return loudest >= SILENT_DB ? 'soft' : 'silent';
  }
}

const WORDS: Record<Verdict, [microphone: string, recording: string]> = {
  listening: ['Say something.', 'The recording begins.'],
  silent: ['Nothing is heard. Is the right microphone chosen, and is it switched on?', 'Nothing is heard of the recording.'],
  soft: ['Very soft. Come closer, or turn the microphone up.', 'The recording is very soft.'],
  good: ['Good: loud enough, and not too loud.', 'Good: loud enough, and not too loud.'],
  clips: ['Too loud, the sound is cut off. Move back, or turn the microphone down.', 'The recording is too loud: the sound is cut off.'],
};

export const advice = (verdict: Verdict, from: 'microphone' | 'recording'): string => WORDS[verdict][from === 'microphone' ? 0 : 1];
