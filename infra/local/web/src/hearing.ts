// Whether the worker hears the speaker, as far as the browser can know it: by the reports that the worker sends of what it receives.

/** A report comes every 5 s; one may be lost. */
const FRESH_MS = 12_000;

export type Heard = 'notYet' | 'open' | 'hears' | 'silent' | 'broken';

/** `connected` alone proves nothing: a connection whose keys are stale says it for ever. */
export class Hearing {
  private stamp: number | null = null;
  private at: number | null = null;
  private opened: number | null = null;

  /** The time that the newest report carries, if there is one. */
  report(stamp: number | null, now: number): void {
    if (stamp === null || stamp === this.stamp) return;
    [this.stamp, this.at] = [stamp, now];
  }

  now(media: RTCPeerConnectionState, now: number): Heard {
    if (media !== 'connected') {
      const was = this.opened !== null;
      this.opened = null;
      return was || this.at !== null ? 'broken' : 'notYet';
    }
    this.opened ??= now;
    if (this.at === null || this.at < this.opened) return now - this.opened < FRESH_MS ? 'open' : 'silent';
    return now - this.at < FRESH_MS ? 'hears' : 'silent';
  }
}

export const SAID: Record<Heard, string> = {
  notYet: 'A worker is started and looks for you.',
  open: 'The way to the worker is open.',
  hears: 'The worker hears you.',
  silent: 'The worker does not say that it hears you. If captions stay away, load this page again.',
  broken: 'The way to the worker is broken. It is looked for again.',
};
