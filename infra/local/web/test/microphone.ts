// A recording for Chromium's fake microphone: silence, then a sample. Chromium plays it again and again.
import { readFileSync, writeFileSync } from 'node:fs';

const HEADER = 44;

/** Writes `file`: the sample behind so many seconds of silence. Samples are plain WAV: 44 bytes, then 16-bit mono. */
export function recordingFor(sample: string, silenceSeconds: number, file: string): void {
  const wav = readFileSync(sample);
  if (wav.toString('latin1', 36, 40) !== 'data') throw new Error(`${sample} is not a plain WAV`);
  const rate = wav.readUInt32LE(24);
  const body = Buffer.concat([Buffer.alloc(Math.round(silenceSeconds * rate) * 2), wav.subarray(HEADER)]);
  const header = Buffer.from(wav.subarray(0, HEADER));
  header.writeUInt32LE(HEADER - 8 + body.length, 4);
  header.writeUInt32LE(body.length, 40);
  writeFileSync(file, Buffer.concat([header, body]));
}
