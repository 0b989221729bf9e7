// A listener: partials that settle, finals that stay, late join, notices, heartbeat, reconnection, the end.
import type { Caption, Incoming, JoinSession, Outgoing } from './messages.ts';

const HEARTBEAT_MS = 60_000; // API Gateway closes a connection that is idle for 10 minutes
const RETRY_MS = [0, 500, 1_000, 2_000, 5_000];

export class Listener {
  /** What stays, in the order of speech. */
  readonly finals: Caption[] = [];
  /** What is being said: one caption per unfinished segment. */
  readonly partials = new Map<string, Caption>();
  /** A sentence to show while the service is not complete. */
  notice = '';
  over = false;
  private failures = 0;

  constructor(private readonly url: string, private readonly join: JoinSession, private readonly show: (listener: Listener) => void) {}

  open(): void {
    const socket = new WebSocket(`${this.url}?${new URLSearchParams({ ...this.join })}`);
    const say = (message: Outgoing) => socket.send(JSON.stringify(message));
    let alive = true;
    const heart = setInterval(() => {
      if (!alive) return socket.close(); // it looks open and says nothing
      alive = false;
      if (socket.readyState === WebSocket.OPEN) say({ action: 'heartbeat' });
    }, HEARTBEAT_MS);
    socket.onopen = () => say({ action: 'joinSession', ...this.join });
    socket.onmessage = ({ data }) => {
      alive = true;
      const message = JSON.parse(String(data)) as Incoming;
      this.take(message);
      if (this.over || message.type === 'connectionRefreshRequired') socket.close();
    };
    socket.onclose = () => {
      clearInterval(heart);
      if (!this.over) setTimeout(() => this.open(), RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)]);
    };
  }

  take(message: Incoming): void {
    if (message.type === 'transcription') this.caption(message);
    else if (message.type === 'captionStatus') this.notice = message.rung === 'full' ? '' : message.message;
    else if (message.type === 'sessionEnded') this.over = true;
    else if (message.type === 'sessionJoined') this.failures = 0;
    else return; // whatever else there is, now or later
    this.show(this);
  }

  private caption(caption: Caption): void {
    const before = this.finals.find((known) => known.segmentId === caption.segmentId);
    if (before !== undefined) return; // said again after a reconnect
    // A worker that died will not finish what it began.
    for (const [id, { generation }] of this.partials) if (generation < caption.generation) this.partials.delete(id);
    if (!caption.isFinal) return void this.partials.set(caption.segmentId, caption);
    this.partials.delete(caption.segmentId);
    this.finals.push(caption);
    this.finals.sort((a, b) => a.generation - b.generation || a.cursor - b.cursor);
  }
}
