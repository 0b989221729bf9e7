// A listener with its list of captions and one sentence on how it stands, for a column and for a page of its own.
import { Listener } from '../../../../schemas/front-end/listener.ts';
import type { CaptionMode, Incoming } from '../../../../schemas/front-end/messages.ts';
import type { Captions } from './captions.ts';
import { words } from './link.ts';

/** The listener as it is, with an ear for the rest of the page. */
class Attentive extends Listener {
  heard: (message: Incoming) => void = () => {};

  override take(message: Incoming): void {
    if (this.follows(message)) this.heard(message);
    super.take(message);
  }
}

/** How long it is said that the connection is back, ms; where captions are missing stays marked among them. */
const BACK_MS = 15_000;

export class Reader {
  private readonly listener: Attentive;
  private readonly gone = new AbortController();
  private wasAway = false;
  private settling: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: string, sessionId: string, language: string, captions: Captions,
    changed: (now: Listener, words: string) => void, heard: (message: Incoming) => void = () => {}, captionMode: CaptionMode = 'usual') {
    const show = (now: Listener) => {
      this.settle(now, () => show(now));
      captions.show(now);
      changed(now, words({ ...now, wasAway: this.wasAway, hasRead: now.finals.length > 0 }));
    };
    this.listener = new Attentive(socket, { sessionId, targetLanguage: language, ...(captionMode === 'usual' ? {} : { captionMode }) }, show);
    this.listener.heard = heard;
    // A telephone that sleeps, or changes its network, is told of no end of the connection.
    const hurry = () => document.hidden || this.listener.hurry();
    document.addEventListener('visibilitychange', hurry, this.gone);
    window.addEventListener('online', hurry, this.gone);
    this.listener.open();
  }

  /** Reads so from now on. */
  choose(captionMode: CaptionMode): void {
    this.listener.choose(captionMode);
  }

  close(): void {
    this.gone.abort();
    clearTimeout(this.settling);
    this.listener.close();
  }

  /** Begins to forget the time away once all is said about it. */
  private settle(now: Listener, again: () => void): void {
    if (now.link === 'away') {
      this.wasAway = true;
      clearTimeout(this.settling);
      this.settling = undefined;
    } else if (this.wasAway && this.settling === undefined && (now.missed !== null || now.finals.length === 0)) {
      this.settling = setTimeout(() => {
        this.wasAway = false;
        this.settling = undefined;
        again();
      }, BACK_MS);
    }
  }
}

/** The product's aim is 2 s from the speaker to the text; this is clearly more. */
const LATE_MS = 3_000;

/** How late the newest caption was. */
export function lagOf(now: Listener): { text: string; late: boolean } {
  const last = now.finals.filter((caption) => !caption.catchUp).at(-1);
  return last === undefined ? { text: '', late: false } : { text: `+${(last.lagMs / 1_000).toFixed(1)} s`, late: last.lagMs > LATE_MS };
}
