// Puts the page together. `?view=listen&session=ID&languages=es,ca` shows listeners alone, as their own tab would.
import { api, type Config } from './api.ts';
import { by, does, h } from './dom.ts';
import { EmotionPanel } from './emotion.ts';
import { column, nameOf, type Column } from './listening.ts';
import { note, SpeakerSocket } from './notices.ts';
import { headings, OperatorPanel } from './operator.ts';
import { Recoveries } from './recovery.ts';
import { microphone, recording, type Source } from './source.ts';
import { Speaker } from './speaker.ts';
import { codecIn, hearing, heardIn, SAYS, trouble, type Hearing } from './way.ts';

const since = (at: number | null): number | null => (at === null ? null : Date.now() - at);
const query = new URLSearchParams(location.search);

class Page {
  private session: string | null = query.get('session');
  private readonly columns = new Map<string, Column>();
  private readonly emotion = new EmotionPanel(by('plots'), by('voice-words'), by('usual'));
  private readonly operator: OperatorPanel | null;
  private readonly recoveries = new Recoveries(by('broken'));

  constructor(private readonly config: Config) {
    const alone = query.get('view') === 'listen';
    document.body.classList.toggle('listeners-alone', alone);
    for (const language of config.sourceLanguages) by('source-language').append(h('option', { value: language }, nameOf(language)));
    for (const language of config.languages) by('add-language').append(h('option', { value: language }, nameOf(language)));
    does(by('add-listener'), by('listener-says'), async () => this.listen(by<HTMLSelectElement>('add-language').value));
    headings();
    this.operator = alone ? null : new OperatorPanel((session) => this.of(session), (fault, label) => this.recoveries.broken(fault, label));
    if (!alone) {
      const gone = () => this.recoveries.broken('tab-gone', "Speaker's tab gone");
      new SpeakerPanel(config, { begun: (session) => this.begin(session), gone, back: () => this.recoveries.returned() });
    }
    if (this.session !== null) this.of(this.session);
    for (const language of (query.get('languages') ?? '').split(',').filter((one) => one !== '')) this.listen(language);
  }

  /** A session that this page has made: somebody should read along. */
  private begin(session: string): void {
    for (const old of [...this.columns.values()]) old.close();
    this.emotion.clear();
    this.recoveries.clear();
    this.of(session);
    this.listen('en');
    this.listen('es');
  }

  private of(session: string): void {
    this.session = session;
    by('session').textContent = session;
    const url = new URL(location.href);
    url.searchParams.set('session', session);
    history.replaceState(null, '', url);
    this.operator?.follow(session);
  }

  private listen(language: string): void {
    if (this.session === null) throw new Error('Start a session first, or open the link of one.');
    if (this.columns.has(language)) throw new Error(`There is a listener in ${nameOf(language)} already.`);
    const made = column(this.config.socket, this.session, language, (message) => {
      if (message.type === 'emotion') this.emotion.take(message);
      if (message.type === 'transcription') this.recoveries.heard(language, message);
    }, () => {
      this.columns.delete(language);
      this.recoveries.left(language);
      by('no-listeners').hidden = this.columns.size > 0;
    });
    this.columns.set(language, made);
    by('listeners').append(made.element);
    by('no-listeners').hidden = true;
  }
}

class SpeakerPanel {
  private session: string | null = null;
  private speaker: Speaker | null = null;
  private source: Source | null = null;
  private socket: SpeakerSocket | null = null;
  private paused = false;
  private heard = false;
  private hearing: Hearing = 'not yet';
  private readonly says = by('speaker-says');

  constructor(private readonly config: Config, private readonly tell: { begun: (session: string) => void; gone: () => void; back: () => void }) {
    does(by('speak'), this.says, () => this.speak());
    does(by('pause'), this.says, () => this.pause());
    does(by('end'), this.says, () => this.end());
    does(by('return'), this.says, async () => {
      await this.join();
      this.tell.back();
      return 'Back: the worker offers anew.';
    });
    does(by('vanish'), by('operator-says'), async () => {
      this.hangUp();
      this.tell.gone();
      this.says.textContent = '';
      return 'The speaker\'s tab is gone and nobody was told: the worker finds out by itself. "Come back" opens it again.';
    });
    by<HTMLInputElement>('from-file').addEventListener('change', () => this.draw());
    by<HTMLInputElement>('from-microphone').addEventListener('change', () => this.draw());
    setInterval(() => by('level').style.setProperty('--level', String(Math.min(1, (this.source?.level() ?? 0) * 4))), 100);
    this.draw();
  }

  private async speak(): Promise<string> {
    if (this.session !== null) await this.end();
    this.source = await this.voice();
    const { sessionId } = await api.create(by<HTMLSelectElement>('source-language').value, by<HTMLInputElement>('judged').checked);
    this.session = sessionId;
    this.paused = false;
    by('notices').replaceChildren();
    await this.join();
    this.tell.begun(sessionId);
    return this.heard ? SAYS[this.hearing] : 'The session row is written; the controller starts a worker.';
  }

  private voice(): Promise<Source> {
    const [file, audible] = [by<HTMLSelectElement>('file').value, by<HTMLInputElement>('audible').checked];
    return by<HTMLInputElement>('from-file').checked ? recording(`/samples/${file}`, audible) : microphone();
  }

  /** What the application does when it is opened, for the first time or again. */
  private async join(): Promise<void> {
    const session = this.session;
    if (session === null) return;
    const source = (this.source ??= await this.voice());
    this.heard = false;
    const access = await api.speaker(session);
    const patched = by<HTMLInputElement>('patched').checked;
    this.speaker = new Speaker(access, source.track, patched, () => this.draw());
    this.socket = new SpeakerSocket(this.config.socket, { sessionId: session, token: access.token }, (message) => {
      note(by('notices'), message);
      by('notices').hidden = by('notices-title').hidden = false;
    });
    void source.over.then(() => {
      if (this.source === source && this.hearing !== 'in doubt') this.says.textContent = 'The recording is over; the session goes on until it is ended.';
    });
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
    this.close();
    return 'Ended: the last words are delivered, then the worker leaves.';
  }

  private close(): void {
    this.session = null;
    this.hangUp();
  }

  private hangUp(): void {
    this.speaker?.close();
    this.source?.close();
    this.socket?.close();
    this.speaker = this.source = this.socket = null;
    this.draw();
  }

  private draw(): void {
    const state = this.speaker?.state;
    // A recording waits until somebody hears it.
    if (state?.media === 'connected' && !this.heard) {
      this.heard = true;
      this.source?.begin();
    }
    const now = state === undefined ? 'not yet' : hearing({ ...state, connectedAgoMs: since(state.connectedAt), reportAgoMs: since(state.reportedAt) });
    // What was said of the sound goes with it; what a button said stays.
    if (now !== this.hearing && SAYS[now] + SAYS[this.hearing] !== '') this.says.textContent = SAYS[now];
    this.hearing = now;
    const candidates = `${state?.candidatesSent ?? 0} sent${by<HTMLInputElement>('patched').checked ? '' : ' to nobody'}, ${state?.candidatesHeard ?? 0} heard`;
    const facts: [string, string, string][] = [
      ['Signaling', state?.signaling ?? 'not yet', state?.signaling ?? ''],
      ['Media', state?.media ?? 'not yet', state?.media ?? ''],
      ['Offers answered', String(state?.offers ?? 0), ''],
      ['Candidates', candidates, ''],
      ['Heard', heardIn(now, since(state?.reportedAt ?? null)), now],
      ['Sound', codecIn(state?.codec ?? ''), ''],
    ];
    by('speaker-facts').replaceChildren(...facts.flatMap(([name, text, mark]) => [h('dt', {}, name), h('dd', { 'data-fact': name, 'data-state': mark }, text)]));
    by('speaker-problem').textContent = state?.problem || trouble(now, this.config.meeting);
    const [on, there] = [this.session !== null, this.speaker !== null];
    by<HTMLButtonElement>('end').disabled = !on;
    for (const id of ['pause', 'vanish']) by<HTMLButtonElement>(id).disabled = !there;
    by('return').hidden = !on || there;
    by('pause').textContent = this.paused ? 'Resume' : 'Pause';
    by('speak').textContent = on ? 'New session' : 'Start speaking';
    by('file-choice').hidden = !by<HTMLInputElement>('from-file').checked;
  }
}

api.config().then((config) => new Page(config)).catch((problem: unknown) => {
  by('listener-says').textContent = problem instanceof Error ? problem.message : String(problem);
});
