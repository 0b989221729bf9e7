// A listener: partials that settle, finals that stay, late join, notices, heartbeat, reconnection and what was missed by it, the end.
import type { Caption, CaptionMode, Incoming, JoinSession, Outgoing } from './messages.ts';

const HEARTBEAT_MS = 60_000; // API Gateway closes a connection that is idle for 10 minutes
const RETRY_MS = [0, 500, 1_000, 2_000, 5_000];
/** How long a connection may be silent after `hurry` asked whether it lives. */
const HURRY_MS = 5_000;

/** `away` once a connection is lost or cannot be had; it is tried again. */
export type Link = 'joining' | 'joined' | 'away';
/** How many finals were missed; `unknown` when another worker speaks by now: it counts anew, and nobody knows what the one before said last. */
export type Missed = number | 'unknown';

/** What is missing between the last final that was read and the first that came after a reconnect, by their cursors. */
export function missedBetween(last: Caption, next: Caption): Missed {
  return next.generation === last.generation ? Math.max(0, next.cursor - last.cursor - 1) : 'unknown';
}

/** The part of a caption that will not change any more; `text` begins with it. */
export function stableText({ text, isFinal, stableChars, stableWords }: Caption): string {
  if (isFinal) return text;
  // Workers that were there before `stableChars` tell it in words between spaces alone.
  return typeof stableChars !== 'number' ? text.split(' ').slice(0, stableWords).join(' ') : text.slice(0, stableChars);
}

export class Listener {
  /** What stays, in the order of speech. */
  readonly finals: Caption[] = [];
  /** What is being said: one caption per unfinished segment. */
  readonly partials = new Map<string, Caption>();
  /** A sentence to show while the service is not complete. */
  notice = '';
  over = false;
  link: Link = 'joining';
  /** What was missed while the connection was lost; null until a final has told it, and for who was never away. */
  missed: Missed | null = null;
  /** The last final that was read before the connection was lost. */
  private before: Caption | null = null;
  /** The newest worker that has spoken. */
  private newest = 0;
  private socket: WebSocket | null = null;
  private timers: ReturnType<typeof setTimeout>[] = [];
  private alive = true;
  private failures = 0;

  constructor(private readonly url: string, private join: JoinSession, private readonly show: (listener: Listener) => void) {}

  open(): void {
    this.close();
    const wishes = Object.entries(this.join).filter(([, wish]) => typeof wish === 'string') as [string, string][];
    const socket = (this.socket = new WebSocket(`${this.url}?${new URLSearchParams(wishes)}`));
    this.alive = true;
    this.timers.push(setInterval(() => this.ask(), HEARTBEAT_MS));
    socket.onopen = () => this.say({ action: 'joinSession', ...this.join });
    socket.onmessage = ({ data }) => {
      if (this.socket !== socket) return; // it was given up
      this.alive = true;
      const message = JSON.parse(String(data)) as Incoming;
      this.take(message);
      if (this.over) this.close();
      else if (message.type === 'connectionRefreshRequired') this.lost();
    };
    socket.onclose = () => this.socket === socket && this.lost();
  }

  /** Leaves; nothing is opened again. */
  close(): void {
    this.timers.forEach(clearTimeout);
    this.timers = [];
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  /** Reads so from now on: `stable`, nothing that is ever taken back; `fast`, whatever is known; or as usual. */
  choose(captionMode: CaptionMode): void {
    this.join = { ...this.join, captionMode };
    this.say({ action: 'joinSession', ...this.join });
  }

  /** To be called when the network or the screen of a telephone is back: tries at once, and finds out soon whether what looks open still is. */
  hurry(): void {
    if (this.over) return;
    if (this.link === 'away') return this.open();
    this.alive = false;
    this.say({ action: 'heartbeat' });
    this.timers.push(setTimeout(() => this.alive || this.lost(), HURRY_MS));
  }

  take(message: Incoming): void {
    if (!this.follows(message)) return;
    if (message.type === 'transcription') this.caption(message);
    else if (message.type === 'captionStatus') this.notice = message.rung === 'full' ? '' : message.message;
    else if (message.type === 'sessionEnded') this.over = true;
    else if (message.type === 'sessionJoined') [this.failures, this.link] = [0, 'joined'];
    else return; // whatever else there is, now or later
    this.show(this);
  }

  /** The newest generation wins: a worker that was replaced may speak for some minutes more. Whoever names no generation is taken as it comes. */
  protected follows(message: Incoming): boolean {
    const generation = 'generation' in message ? message.generation : undefined;
    if (typeof generation !== 'number') return true;
    this.newest = Math.max(this.newest, generation);
    return generation === this.newest;
  }

  private say(message: Outgoing): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Whoever has said nothing since it was asked the last time only looks open. */
  private ask(): void {
    if (!this.alive) return this.lost();
    this.alive = false;
    this.say({ action: 'heartbeat' });
  }

  private lost(): void {
    this.close();
    [this.link, this.missed, this.before] = ['away', null, this.finals.at(-1) ?? null];
    this.timers.push(setTimeout(() => this.open(), RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)]));
    this.show(this);
  }

  private caption(caption: Caption): void {
    if (caption.isFinal && this.before !== null) [this.missed, this.before] = [missedBetween(this.before, caption), null];
    const known = this.finals.findIndex(({ segmentId }) => segmentId === caption.segmentId);
    if (known >= 0) {
      // Said again after a reconnect; or worded anew: the translation of an original has come.
      if (caption.isFinal && caption.revision > (this.finals[known]?.revision ?? 0)) this.finals[known] = caption;
      return;
    }
    // A worker that died will not finish what it began.
    for (const [id, { generation }] of this.partials) if (generation < caption.generation) this.partials.delete(id);
    if (!caption.isFinal) return void this.partials.set(caption.segmentId, caption);
    this.partials.delete(caption.segmentId);
    this.finals.push(caption);
    this.finals.sort((a, b) => a.generation - b.generation || a.cursor - b.cursor);
  }
}
