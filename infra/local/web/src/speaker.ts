// The speaker's browser as the product has it: the KVS library in master role and one peer connection for every viewer.
// Its faults are kept: candidates without a recipient never arrive (the switch `patched` names one), nothing reopens signaling.
import { Role, SignalingClient, SigV4RequestSigner } from 'amazon-kinesis-video-streams-webrtc';
import type { SpeakerAccess } from './api.ts';
import { sent } from './way.ts';

/** The product's constraints. */
export const MICROPHONE: MediaTrackConstraints = {
  sampleRate: 16_000,
  channelCount: 1,
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
};

export interface SpeakerState {
  signaling: 'connecting' | 'open' | 'closed';
  media: RTCPeerConnectionState;
  offers: number;
  candidatesSent: number;
  candidatesHeard: number;
  /** Addresses to speak from that were found; null while the browser looks. */
  addresses: number | null;
  /** When the connection stood, and when the worker last reported what it receives, epoch ms. */
  connectedAt: number | null;
  reportedAt: number | null;
  /** Of what is sent. */
  codec: string;
  problem: string;
}

/** Between two looks at the browser's statistics. */
const LOOK_MS = 1_000;

export class Speaker {
  readonly state: SpeakerState = {
    signaling: 'connecting', media: 'new', offers: 0, candidatesSent: 0, candidatesHeard: 0,
    addresses: null, connectedAt: null, reportedAt: null, codec: '', problem: '',
  };
  private readonly connection: RTCPeerConnection;
  private readonly sender: RTCRtpSender;
  private readonly signaling: SignalingClient;
  private readonly looking: ReturnType<typeof setInterval>;
  private viewer: string | undefined;
  private found = 0;
  private report: number | null = null;

  constructor(access: SpeakerAccess, private readonly track: MediaStreamTrack, private readonly patched: boolean, private readonly changed: () => void) {
    this.connection = new RTCPeerConnection({ iceServers: access.iceServers });
    this.sender = this.connection.addTrack(track, new MediaStream([track]));
    this.connection.onconnectionstatechange = () => this.changedTo(this.connection.connectionState);
    this.connection.onicecandidate = ({ candidate }) => {
      // Firefox tells the end by an empty one.
      if (candidate?.candidate) this.found += 1;
      if (candidate !== null) this.send(candidate);
    };
    this.connection.onicegatheringstatechange = () => {
      if (this.connection.iceGatheringState === 'gathering') this.found = 0;
      if (this.connection.iceGatheringState === 'complete') this.set({ addresses: this.found });
    };
    this.looking = setInterval(() => void this.look(), LOOK_MS);
    this.signaling = new SignalingClient({
      role: Role.MASTER,
      channelARN: access.channelArn,
      channelEndpoint: access.endpoint,
      region: access.region,
      requestSigner: signer(access),
    });
    this.listen();
    this.signaling.open();
  }

  mute(muted: boolean): void {
    this.track.enabled = !muted;
  }

  /** The tab is closed: nobody is told. */
  close(): void {
    clearInterval(this.looking);
    this.signaling.close();
    this.connection.close();
    this.track.stop();
    this.set({ signaling: 'closed', media: 'closed' });
  }

  private changedTo(media: RTCPeerConnectionState): void {
    if (media === 'connected' && this.state.media !== media) this.set({ connectedAt: Date.now() });
    // Firefox that has no address begins no gathering, and so tells of no end.
    this.set(media === 'failed' ? { media, addresses: this.found } : { media });
  }

  private async look(): Promise<void> {
    const { codec: counted, reportedAt } = sent((await this.connection.getStats()).values());
    // Chromium's statistics name Opus also where it is wrapped in RED; what was agreed on comes first among the sender's codecs.
    const codec = this.state.media === 'connected' ? (this.sender.getParameters().codecs?.[0]?.mimeType ?? counted) : '';
    // By our clock: browsers do not agree on the one of their statistics.
    if (reportedAt !== this.report) this.set({ codec, reportedAt: reportedAt === null ? null : Date.now() });
    else this.set({ codec });
    this.report = reportedAt;
  }

  private listen(): void {
    this.signaling.on('open', () => this.set({ signaling: 'open' }));
    this.signaling.on('close', () => this.set({ signaling: 'closed' }));
    this.signaling.on('error', (problem) => this.set({ problem: `signaling: ${problem instanceof Error ? problem.message : 'refused'}` }));
    this.signaling.on('sdpOffer', (offer: RTCSessionDescriptionInit, viewer: string) => {
      this.answer(offer, viewer).catch((problem: unknown) => this.set({ problem: `offer: ${String(problem)}` }));
    });
    this.signaling.on('iceCandidate', (candidate: RTCIceCandidateInit) => {
      this.set({ candidatesHeard: this.state.candidatesHeard + 1 });
      this.connection.addIceCandidate(candidate).catch((problem: unknown) => this.set({ problem: `candidate: ${String(problem)}` }));
    });
  }

  private async answer(offer: RTCSessionDescriptionInit, viewer: string): Promise<void> {
    this.viewer = viewer;
    await this.connection.setRemoteDescription(offer);
    await this.connection.setLocalDescription(await this.connection.createAnswer());
    // At once, before candidates are gathered.
    if (this.connection.localDescription !== null) this.signaling.sendSdpAnswer(this.connection.localDescription, viewer);
    this.set({ offers: this.state.offers + 1, problem: '' });
  }

  private send(candidate: RTCIceCandidate): void {
    if (this.state.signaling !== 'open') return;
    this.signaling.sendIceCandidate(candidate, this.patched ? this.viewer : undefined);
    this.set({ candidatesSent: this.state.candidatesSent + 1 });
  }

  private set(change: Partial<SpeakerState>): void {
    Object.assign(this.state, change);
    this.changed();
  }
}

/** The library's own signer, which insists on wss://; the local stack speaks ws://, and the scheme is not signed. */
function signer({ region, credentials }: SpeakerAccess): { getSignedURL: SigV4RequestSigner['getSignedURL'] } {
  const library = new SigV4RequestSigner(region, credentials);
  return {
    getSignedURL: async (endpoint, parameters, date) => {
      const signed = await library.getSignedURL(endpoint.replace(/^ws:/, 'wss:'), parameters, date);
      return endpoint.startsWith('ws:') ? signed.replace(/^wss:/, 'ws:') : signed;
    },
  };
}
