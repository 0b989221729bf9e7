// The speaker's browser as the product has it: the KVS library in master role and one peer connection for every viewer.
// Its faults are kept: candidates without a recipient never arrive (the switch `patched` names one), nothing reopens signaling.
import { Role, SignalingClient, SigV4RequestSigner } from 'amazon-kinesis-video-streams-webrtc';
import type { SpeakerAccess } from './api.ts';

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
  problem: string;
}

export class Speaker {
  readonly state: SpeakerState = { signaling: 'connecting', media: 'new', offers: 0, candidatesSent: 0, candidatesHeard: 0, problem: '' };
  private readonly connection: RTCPeerConnection;
  private readonly signaling: SignalingClient;
  private viewer: string | undefined;

  constructor(access: SpeakerAccess, private readonly track: MediaStreamTrack, private readonly patched: boolean, private readonly changed: () => void) {
    this.connection = new RTCPeerConnection({ iceServers: access.iceServers });
    this.connection.addTrack(track, new MediaStream([track]));
    this.connection.onconnectionstatechange = () => this.set({ media: this.connection.connectionState });
    this.connection.onicecandidate = ({ candidate }) => {
      if (candidate !== null) this.send(candidate);
    };
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

  /** The time of the worker's newest report of what it receives. */
  async reported(): Promise<number | null> {
    let newest: number | null = null;
    (await this.connection.getStats()).forEach((stat: RTCStats) => {
      if (stat.type === 'remote-inbound-rtp') newest = Math.max(newest ?? 0, stat.timestamp);
    });
    return newest;
  }

  /** The tab is closed: nobody is told. */
  close(): void {
    this.signaling.close();
    this.connection.close();
    this.track.stop();
    this.set({ signaling: 'closed', media: 'closed' });
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
