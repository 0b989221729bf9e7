// What the browser itself knows of the way from its microphone to the worker, in plain words. A connection that is called `connected` proves
// little: Firefox calls it so when the worker has been replaced and none of the sound is understood any more. Reports of the worker prove it.

/** The worker reports every second; behind so many the sound is in doubt, ms. */
const DOUBT_MS = 6_000;

export interface Way {
  media: RTCPeerConnectionState;
  /** Addresses that the browser found to speak from; null while it looks. */
  addresses: number | null;
  /** Time since the connection stands, and since the worker last reported what it receives; null before. */
  connectedAgoMs: number | null;
  reportAgoMs: number | null;
}

export type Hearing = 'not yet' | 'heard' | 'in doubt' | 'no address' | 'no way';

export function hearing({ media, addresses, connectedAgoMs, reportAgoMs }: Way): Hearing {
  if (media === 'disconnected') return 'in doubt';
  if (media === 'connected') {
    if ((reportAgoMs ?? connectedAgoMs ?? 0) > DOUBT_MS) return 'in doubt';
    return reportAgoMs === null ? 'not yet' : 'heard';
  }
  if (addresses === 0 && media !== 'closed') return 'no address';
  return media === 'failed' ? 'no way' : 'not yet';
}

/** What stands under the buttons; nothing while the worker is on its way. */
export const SAYS: Record<Hearing, string> = {
  'not yet': '',
  heard: 'The worker hears you.',
  'in doubt': 'The worker has not confirmed your sound for some seconds. If it was replaced, Chromium follows the next one by itself; in Firefox press New session.',
  'no address': '',
  'no way': '',
};

/** What is wrong, and what helps; `meeting` is where the worker can be met. */
export function trouble(how: Hearing, meeting: string[]): string {
  if (how === 'no address') {
    return 'This browser has no address to speak from: it leaves loopback out, and this machine has no other network. Connect the machine to a network and press New session; or, in Firefox, set media.peerconnection.ice.loopback to true in about:config.';
  }
  if (how === 'no way') {
    return `There is no way between this browser and the worker, who is met at ${meeting.join(' and ')}. Press New session; if that does not help, an extension or a setting of the browser may forbid WebRTC.`;
  }
  return '';
}

/** What the browser says of the sound that it sends: the codec, and when the worker last told that packets come. */
export interface Sent {
  codec: string;
  /** When the worker's last report came, epoch ms. */
  reportedAt: number | null;
}

export function sent(stats: Iterable<Record<string, unknown>>): Sent {
  const all = [...stats];
  const reports = all.filter((one) => one['type'] === 'remote-inbound-rtp').map((one) => Number(one['timestamp']));
  const own = all.find((one) => one['type'] === 'outbound-rtp');
  const codec = all.find((one) => one['type'] === 'codec' && one['id'] === own?.['codecId']);
  return { codec: String(codec?.['mimeType'] ?? ''), reportedAt: reports.length === 0 ? null : Math.max(...reports) };
}

/** RED repeats each packet's sound in the next: the worker asks for it first, and not every browser knows it. */
export function codecIn(words: string): string {
  if (words === '') return 'not yet';
  return /red/i.test(words) ? 'Opus with RED' : 'Opus without RED';
}

/** The fact beside it. */
export function heardIn(how: Hearing, reportAgoMs: number | null): string {
  if (how !== 'heard' && how !== 'in doubt') return how;
  if (reportAgoMs === null) return 'in doubt, never confirmed';
  return `${how === 'heard' ? '' : 'in doubt, '}confirmed ${Math.round(reportAgoMs / 1_000)} s ago`;
}
