// The local stack's side of the page: the session service's HTTP API, sessionctl, and the knobs.
import type { Translation } from './languages.ts';

export interface Config {
  socket: string;
  region: string;
  /** Those that something translates into come first. */
  languages: string[];
  sourceLanguages: string[];
  translation: Translation;
  /** Addresses at which a browser on this machine meets the worker. */
  meeting: string[];
  /** Where telephones reach the listener's page, when the stack was told an address of the network. */
  share?: string | null;
}

/** What the product's application has: from its sign-in, from the session, and from KVS. */
export interface SpeakerAccess {
  channelArn: string;
  region: string;
  endpoint: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
  iceServers: RTCIceServer[];
  /** Who they are, for the WebSocket. */
  token: string;
}

/** What the network between speaker and worker does to audio packets, and what came of it, by channel. */
export interface NetworkState {
  set: { loss: number; burst: number };
  seen: Record<string, { passed: number; dropped: number }>;
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const answer = await fetch(`/api/${path}`, { method, ...json }).catch(() => {
    throw new Error('the local stack does not answer; does it still run?');
  });
  const said = (await answer.json().catch(() => ({}))) as T & { error?: string };
  if (!answer.ok) throw new Error(said.error ?? `${path}: HTTP ${answer.status}`);
  return said;
}

export const api = {
  config: () => call<Config>('GET', 'config'),
  create: (sourceLanguage: string, judged: boolean) => call<{ sessionId: string }>('POST', 'sessions', { sourceLanguage, judged }),
  status: (session: string, status: 'active' | 'paused' | 'ended') => call('PATCH', `sessions/${session}`, { status }),
  speaker: (session: string) => call<SpeakerAccess>('GET', `sessions/${session}/speaker`),
  list: () => call<Board>('GET', 'operator/list'),
  show: (session: string) => call<Board>('GET', `operator/${session}/show`),
  why: (session: string) => call<{ text: string }>('GET', `operator/${session}/why`),
  wish: (session: string, verb: string) => call<{ said: string }>('POST', `operator/${session}/${verb}`, {}),
  network: () => call<NetworkState>('GET', 'faults'),
  fault: (name: string, session: string | null) => call('POST', `faults/${name}`, { session }),
};

/** `sessionctl list --json` and `show --json`, as far as it is shown here. */
export interface Board {
  at: number;
  sessions: { row?: Row; cost?: { total: number } | null; concerns?: { text?: string }[] }[];
}

export interface Row {
  sessionId: string;
  generation: number;
  phase: string;
  phaseSince: number;
  why: { cause: string; text: string; at: number };
  intent?: { decidedAt: number; wantedSince?: number | null; speakerConnection?: string | null } | null;
  task?: { arn: string; launchedAt: number; stoppedAt?: number | null } | null;
  restarts?: { consecutive: number };
  operator?: { hold?: { until: number } | null; order?: { verb: string } | null };
  worker?: {
    heartbeatAt: number;
    startUp: { processAt?: number | null; joinedAt?: number | null; firstAudioAt?: number | null; firstCaptionAt?: number | null };
    progress: { rtpAt?: number | null; transcriptAt?: number | null; translationAt?: number | null; deliveryAt?: number | null };
    media: {
      candidateType?: string | null; remoteCandidateType?: string | null;
      packets: number; lost: number; redRecovered: number; fecRecovered: number; concealedMs: number;
    };
    trouble?: { cause: string; text: string } | null;
    audioQuality?: { snrDb?: number | null; packetLossPercent: number; issues: string[] } | null;
    languages: Record<string, { listeners: number; lagP50Ms?: number | null; lagP95Ms?: number | null }>;
    rung: string;
  } | null;
}
