// The speaker's panel: what they choose, the check of the sound, and the session that they speak in.
import { api, type Config } from './api.ts';
import { by, does, h, tell, usable } from './dom.ts';
import { Ear, advice, bar, decibels } from './meter.ts';
import { note, SpeakerSocket } from './notices.ts';
import { drawer } from './settings.ts';
import { microphone, recording, type Source } from './source.ts';
import { Speaker } from './speaker.ts';
import { codecIn, hearing, heardIn, SAYS, trouble } from './way.ts';

const KEPT = 'session-translation.speaker';
/** What is kept in this browser. Whether the voice is judged is asked each time. */
const CHOICES = ['from-microphone', 'file', 'audible', 'source-language'];
const LOOK_MS = 100;

export interface Told {
  begun(session: string): void;
  gone(): void;
  back(): void;
}

export class SpeakerPanel {
  private session: string | null = null;
  private speaker: Speaker | null = null;
  private source: Source | null = null;
  private socket: SpeakerSocket | null = null;
  private ear: Ear | null = null;
  private paused = false;
  private begun = false;
  /** The sound is checked, and no session hears it. */
  private checking = false;
  private readonly says = by('speaker-says');

  constructor(private readonly config: Config, private readonly told: Told) {
    restore();
    does(by('check'), this.says, () => this.check());
    does(by('speak'), this.says, () => this.speak());
    does(by('pause'), this.says, () => this.pause());
    does(by('end'), this.says, () => this.end());
    does(by('return'), this.says, async () => {
      await this.join();
      this.told.back();
      return 'Back: the worker offers anew.';
    });
    does(by('vanish'), by('operator-says'), async () => {
      this.hangUp();
      this.told.gone();
      this.says.textContent = '';
      return 'The speaker\'s tab is gone and nobody was told: the worker finds out by itself. "Come back" opens it again.';
    });
    by('choices').addEventListener('change', () => {
      keep();
      if (this.checking) this.uncheck(); // another voice from now on
      this.draw();
    });
    setInterval(() => this.listen(), LOOK_MS);
    this.draw();
  }

  /** The level without a session: the browser asks for the microphone here, at a press. */
  private async check(): Promise<string> {
    if (this.checking) {
      this.uncheck();
      return '';
    }
    this.source = await this.voice();
    this.source.begin();
    [this.ear, this.checking] = [new Ear(performance.now()), true];
    const checked = this.source;
    void checked.over.then(() => this.checking && this.source === checked && this.uncheck());
    this.draw();
    return '';
  }

  private uncheck(): void {
    this.source?.close();
    this.source?.track.stop();
    [this.source, this.ear, this.checking] = [null, null, false];
    this.listen();
    this.draw();
  }

  private async speak(): Promise<string> {
    if (this.session !== null) await this.end();
    // A recording begins from its start; a microphone that was checked is the one to speak into.
    if (this.checking && from() === 'recording') this.uncheck();
    this.checking = false;
    this.source ??= await this.voice();
    const { sessionId } = await api.create(by<HTMLSelectElement>('source-language').value, by<HTMLInputElement>('judged').checked);
    this.session = sessionId;
    this.paused = false;
    by('notices').replaceChildren();
    await this.join();
    this.told.begun(sessionId);
    return '';
  }

  private voice(): Promise<Source> {
    const [file, audible] = [by<HTMLSelectElement>('file').value, by<HTMLInputElement>('audible').checked];
    return from() === 'recording' ? recording(`/samples/${file}`, audible) : microphone();
  }

  /** What the application does when it is opened, for the first time or again. */
  private async join(): Promise<void> {
    const session = this.session;
    if (session === null) return;
    const source = (this.source ??= await this.voice());
    [this.begun, this.ear] = [false, new Ear(performance.now())];
    const access = await api.speaker(session);
    const patched = by<HTMLInputElement>('patched').checked;
    this.speaker = new Speaker(access, source.track, patched, () => this.draw());
    this.socket = new SpeakerSocket(this.config.socket, { sessionId: session, token: access.token }, (message) => {
      note(by('notices'), message);
      by('notices-part').hidden = false;
    });
    void source.over.then(() => this.source === source && (this.says.textContent = 'The recording is over; the session goes on until it is ended.'));
    this.draw();
  }

  private async pause(): Promise<string> {
    if (this.session === null) return '';
    this.paused = !this.paused;
    await api.status(this.session, this.paused ? 'paused' : 'active');
    this.speaker?.mute(this.paused);
    this.draw();
    return this.paused ? 'Paused: nothing is transcribed.' : 'Goes on.';
  }

  private async end(): Promise<string> {
    const session = this.session;
    if (session !== null) await api.status(session, 'ended');
    this.session = null;
    this.hangUp();
    return 'Ended: the last words are delivered, then the worker leaves.';
  }

  private hangUp(): void {
    this.speaker?.close();
    this.source?.close();
    this.socket?.close();
    this.speaker = this.source = this.socket = this.ear = null;
    this.listen();
    this.draw();
  }

  /** The bar, and what it means. */
  private listen(): void {
    const level = this.source?.level() ?? { rms: 0, peak: 0 };
    by('level').style.setProperty('--level', String(bar(level)));
    if (this.ear === null || this.paused) return void tell(by('level-says'), '');
    const verdict = this.ear.take(level, performance.now());
    by('level').dataset['verdict'] = verdict;
    by('level').setAttribute('aria-valuenow', String(Math.round(Math.max(-60, decibels(level.rms)))));
    tell(by('level-says'), this.begun || this.checking || from() === 'microphone' ? advice(verdict, from()) : '');
  }

  private draw(): void {
    const state = this.speaker?.state;
    // A recording waits until somebody can hear it.
    if (state?.media === 'connected' && !this.begun) {
      this.begun = true;
      this.source?.begin();
    }
    const now = state === undefined ? null : hearing({ ...state, connectedAgoMs: since(state.connectedAt), reportAgoMs: since(state.reportedAt) });
    by('hears').dataset['heard'] = now ?? '';
    tell(by('hears'), now === null || this.paused ? '' : SAYS[now]);
    const candidates = `${state?.candidatesSent ?? 0} sent${by<HTMLInputElement>('patched').checked ? '' : ' to nobody'}, ${state?.candidatesHeard ?? 0} heard`;
    const facts: [string, string, string][] = [
      ['Signaling', state?.signaling ?? 'not yet', state?.signaling ?? ''],
      ['Media', state?.media ?? 'not yet', state?.media ?? ''],
      ['Offers answered', String(state?.offers ?? 0), ''],
      ['Candidates', candidates, ''],
      ['Heard', now === null ? 'not yet' : heardIn(now, since(state?.reportedAt ?? null)), now ?? ''],
      ['Sound', codecIn(state?.codec ?? ''), ''],
    ];
    by('speaker-facts').replaceChildren(...facts.flatMap(([name, text, mark]) => [h('dt', {}, name), h('dd', { 'data-fact': name, 'data-state': mark }, text)]));
    by('speaker-problem').textContent = state?.problem || (now === null ? '' : trouble(now, this.config.meeting));
    const [on, there] = [this.session !== null, this.speaker !== null];
    usable(by('end'), on);
    usable(by('check'), !on);
    for (const id of ['pause', 'vanish']) usable(by(id), there);
    if (document.activeElement === by('return') && (!on || there)) by('speak').focus(); // before the button goes
    by('return').hidden = !on || there;
    tell(by('pause'), this.paused ? 'Resume' : 'Pause');
    tell(by('check'), this.checking ? 'Stop the check' : 'Check the sound');
    tell(by('speak'), on ? 'New session' : 'Start speaking');
    by('file-choice').hidden = from() === 'microphone';
  }
}

const since = (at: number | null): number | null => (at === null ? null : Date.now() - at);

const from = (): 'microphone' | 'recording' => (by<HTMLInputElement>('from-file').checked ? 'recording' : 'microphone');

function keep(): void {
  const value = (control: HTMLInputElement | HTMLSelectElement) => (control instanceof HTMLInputElement ? control.checked : control.value);
  drawer.write(KEPT, Object.fromEntries(CHOICES.map((id) => [id, value(by<HTMLInputElement | HTMLSelectElement>(id))])));
}

/** What was chosen the last time, as far as it is still offered. */
function restore(): void {
  let kept: Record<string, unknown> = {};
  try {
    kept = JSON.parse(drawer.read(KEPT) ?? '{}') as Record<string, unknown>;
  } catch {
    // As if nothing was kept.
  }
  for (const id of CHOICES) {
    const [control, value] = [by<HTMLInputElement | HTMLSelectElement>(id), kept[id]];
    if (control instanceof HTMLInputElement && typeof value === 'boolean') control.checked = value;
    else if (control instanceof HTMLSelectElement && [...control.options].some((option) => option.value === value)) control.value = String(value);
  }
}
