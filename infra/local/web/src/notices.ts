// What the worker tells the speaker: over a WebSocket of the speaker's own, as the product's application has one.
import type { AudioIssue, IncomingSpeaker, Notice } from '../../../../schemas/front-end/messages.ts';
import { h } from './dom.ts';

const HEARTBEAT_MS = 60_000;
const RETRY_MS = 1_000;

/** The connection: it names whose session it is, and is opened again until it is closed by the page. */
export class SpeakerSocket {
  private socket: WebSocket | null = null;
  private closed = false;

  constructor(private readonly url: string, private readonly who: { sessionId: string; token: string }, private readonly told: (message: IncomingSpeaker) => void) {
    this.open();
  }

  private open(): void {
    const socket = (this.socket = new WebSocket(`${this.url}?${new URLSearchParams(this.who)}`));
    const heart = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify({ action: 'heartbeat' })), HEARTBEAT_MS);
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(String(data)) as { type: string };
      if (message.type === 'audioQualityWarning' || message.type === 'speakerNotice') this.told(message as IncomingSpeaker);
    };
    socket.onclose = () => {
      clearInterval(heart);
      if (!this.closed) setTimeout(() => this.closed || this.open(), RETRY_MS);
    };
  }

  close(): void {
    this.closed = true;
    this.socket?.close();
  }
}

/** Of each trouble: its name, the unit of what was measured, and on which side of the threshold it is wrong. */
const ISSUES: Record<AudioIssue, [name: string, unit: string, wrong: 'below' | 'above']> = {
  snr_low: ['Noise', 'dB below the voice', 'below'],
  clipping: ['Overdriven', '% of the samples', 'above'],
  echo: ['Echo', 'dB', 'above'],
  silence: ['Silence', 's', 'above'],
  packet_loss: ['Packets lost', '%', 'above'],
  jitter: ['Uneven packets', 'ms', 'above'],
};
const NOTICES: Record<Notice, [name: string, good: boolean]> = {
  captionsPaused: ['Captions paused', false],
  captionsReduced: ['Captions reduced', false],
  captionsComplete: ['Captions complete', true],
  notHeard: ['Not heard', false],
  heardAgain: ['Heard again', true],
};

/** One message in plain words. A worker that is newer than this page may tell of what is not known here. */
export function words(message: IncomingSpeaker): { name: string; good: boolean; measured: string } {
  if (message.type === 'speakerNotice') {
    const [name, good] = NOTICES[message.notice] ?? [message.notice, false];
    return { name, good, measured: '' };
  }
  const [name, unit, wrong] = ISSUES[message.issue] ?? [message.issue, '', 'above'];
  const threshold = message.details['threshold'];
  const limit = threshold === undefined ? '' : wrong === 'above' ? `, up to ${threshold} is fine` : `, ${threshold} is fine`;
  return { name, good: false, measured: `${Math.round(message.value * 10) / 10} ${unit}${limit}` };
}

/** Newest first: who speaks reads only the top. */
export function note(list: HTMLElement, message: IncomingSpeaker): void {
  const { name, good, measured } = words(message);
  const kind = message.type === 'speakerNotice' ? message.notice : message.issue;
  const at = new Date(message.timestamp);
  list.prepend(h('li', { 'data-kind': kind, class: good ? 'good' : 'wrong' },
    h('p', {}, h('time', { datetime: at.toISOString() }, at.toLocaleTimeString('en-GB')), ' ', h('b', {}, name), measured === '' ? null : h('span', { class: 'quiet' }, ` ${measured}`)),
    h('p', {}, message.message)));
}
