// The operator: sessionctl's board, the phases of each launch on a timeline, why, and what can be wished or broken.
import { api, type Board, type Row } from './api.ts';
import { by, does, h } from './dom.ts';

const EVERY_MS = 2_000;
const COLUMNS = ['Session', 'Phase', 'Since', 'Gen', 'Audio', 'Text', 'Transl.', 'Sent', 'Listeners', 'Lag p50/95', 'Lost', 'Restarts', 'Cost'];

export class OperatorPanel {
  private session: string | null = null;

  constructor(private readonly chosen: (session: string) => void, private readonly broken: (fault: string, label: string) => void) {
    const says = by('operator-says');
    for (const button of document.querySelectorAll<HTMLButtonElement>('button[data-wish]')) {
      does(button, says, async () => (await api.wish(this.wanted(), button.dataset['wish'] ?? '')).said.replace(/\s+/g, ' '));
    }
    for (const button of document.querySelectorAll<HTMLButtonElement>('button[data-fault]')) {
      does(button, says, async () => {
        const fault = button.dataset['fault'] ?? '';
        await api.fault(fault, this.wanted());
        const label = button.getAttribute('aria-label') ?? button.textContent?.trim() ?? fault;
        this.broken(fault, label);
        await this.network();
        return `Done: ${label}.`;
      });
    }
    void this.look();
  }

  follow(session: string): void {
    this.session = session;
  }

  private wanted(): string {
    if (this.session === null) throw new Error('Start a session, or choose one in the table.');
    return this.session;
  }

  /** Looks again and again, one look at a time, and only while somebody sees it. */
  private async look(): Promise<void> {
    if (!document.hidden) {
      await this.refresh().catch((problem: unknown) => (by('operator-says').textContent = String(problem)));
    }
    setTimeout(() => void this.look(), EVERY_MS);
  }

  private async refresh(): Promise<void> {
    const board = await api.list();
    this.table(board);
    await this.network();
    if (this.session === null || !board.sessions.some(({ row }) => row?.sessionId === this.session)) return;
    const [shown, why] = [await api.show(this.session), await api.why(this.session)];
    timeline(shown);
    by('sound').replaceChildren(...sound(shown.sessions.flatMap(({ row }) => (row === undefined ? [] : [row])).sort((a, b) => b.generation - a.generation)[0], shown.at));
    by('why').textContent = why.text;
  }

  /** Which of the buttons is pressed, and what it did. */
  private async network(): Promise<void> {
    const { set, seen } = await api.network();
    for (const button of document.querySelectorAll<HTMLButtonElement>('button[data-loss]')) {
      const isSet = Number(button.dataset['loss']) === set.loss && (set.loss === 0 || Number(button.dataset['burst']) === Math.max(set.burst, 1));
      button.setAttribute('aria-pressed', String(isSet));
    }
    const [, own] = Object.entries(seen).find(([channel]) => this.session !== null && channel.includes(`/session-${this.session}/`)) ?? [];
    by('network').textContent = own === undefined ? '' : `${own.dropped} of ${own.passed + own.dropped} audio packets dropped on purpose`;
    by('network').dataset['dropped'] = String(own?.dropped ?? 0);
    by('network').dataset['passed'] = String(own?.passed ?? 0);
  }

  private table(board: Board): void {
    const rows = board.sessions.flatMap(({ row, cost }) => {
      if (row === undefined) return [];
      const choose = h('button', { type: 'button', class: 'link', 'aria-pressed': String(row.sessionId === this.session), click: () => {
        this.session = row.sessionId;
        this.chosen(row.sessionId);
        void this.refresh();
      } }, row.sessionId);
      const cells = [choose, phase(row), ...numbers(row, board.at), cost ? `$${cost.total.toFixed(4)}` : ''];
      return [h('tr', { 'data-session': row.sessionId, 'data-phase': row.phase }, ...cells.map((cell, index) => h('td', { 'data-name': COLUMNS[index] ?? '' }, cell)))];
    });
    by('board').hidden = rows.length === 0;
    by('no-board').hidden = rows.length > 0;
    const focused = document.activeElement?.closest('tr')?.dataset['session'];
    by('board-rows').replaceChildren(...rows);
    if (focused !== undefined) document.querySelector<HTMLElement>(`tr[data-session="${focused}"] button`)?.focus();
  }
}

export function headings(): void {
  by('board-head').replaceChildren(h('tr', {}, ...COLUMNS.map((name) => h('th', { scope: 'col' }, name))));
}

function phase(row: Row): HTMLElement {
  const marks = [row.operator?.hold ? 'held' : '', row.operator?.order ? row.operator.order.verb : ''].filter((mark) => mark !== '');
  return h('span', {}, h('span', { class: `phase ${row.phase}` }, row.phase), marks.length > 0 ? ` ${marks.join(', ')}` : null);
}

function numbers(row: Row, now: number): string[] {
  const { worker } = row;
  const ago = (at: number | null | undefined) => (at === null || at === undefined ? '–' : age(now - at));
  const languages = Object.entries(worker?.languages ?? {}).filter(([, { listeners }]) => listeners > 0);
  const worst = (read: (lag: { lagP50Ms?: number | null; lagP95Ms?: number | null }) => number | null | undefined) =>
    Math.max(0, ...Object.values(worker?.languages ?? {}).map((language) => read(language) ?? 0));
  const lags = [worst((l) => l.lagP50Ms), worst((l) => l.lagP95Ms)];
  return [
    age(now - row.phaseSince),
    String(row.generation),
    ...[worker?.progress.rtpAt, worker?.progress.transcriptAt, worker?.progress.translationAt, worker?.progress.deliveryAt].map(ago),
    languages.map(([language, { listeners }]) => `${language}×${listeners}`).join(' ') || '–',
    lags[1] === 0 ? '–' : `${lags.map((lag) => (lag / 1_000).toFixed(1)).join('/')} s`,
    worker ? `${worker.media.lost}/${worker.media.packets}` : '–',
    String(row.restarts?.consecutive ?? 0),
  ];
}

/** What the worker tells of the sound that reaches it. */
function sound(row: Row | undefined, now: number): HTMLElement[] {
  const [media, quality] = [row?.worker?.media, row?.worker?.audioQuality];
  if (row === undefined || media === undefined) return [];
  const back = media.redRecovered + media.fecRecovered;
  const percent = (part: number) => ((100 * part) / Math.max(1, media.packets + media.lost)).toFixed(1);
  const facts: [string, string, string][] = [
    ['Packets', `${media.packets} came, ${media.lost} lost (${percent(media.lost)} %)`, 'lost'],
    ['Brought back', `${back}: ${media.redRecovered} by RED, ${media.fecRecovered} by FEC`, 'recovered'],
    ['Made up', `${media.concealedMs} ms of sound`, 'concealed'],
    ['Lost for good', quality ? `${quality.packetLossPercent} % of the last 10 s` : '–', 'loss'],
    ['Wrong now', wrongNow(row, now), 'issues'],
  ];
  return facts.flatMap(([name, text, key]) => [h('dt', {}, name), h('dd', { 'data-sound': key }, text)]);
}

/** No sound for so long before a heartbeat is wrong, ms, also since a worker joined: a speaker who is silent sends packets too. */
const SILENT_MS = 5_000;

/** What the worker finds wrong with the sound, and what it cannot: that none comes. */
export function wrongNow({ phase, worker }: Row, now: number): string {
  const issues = (worker?.audioQuality?.issues ?? []).map((issue) => issue.replaceAll('_', ' '));
  const joinedAt = phase === 'WaitingForSpeaker' ? worker?.startUp.joinedAt : null;
  const lastAt = (phase === 'Live' ? worker?.progress.rtpAt : joinedAt) ?? null;
  const mute = worker && lastAt !== null && worker.heartbeatAt - lastAt > SILENT_MS ? [`no sound for ${age(now - lastAt)}`] : [];
  const trouble = worker?.trouble ? [worker.trouble.text] : [];
  return [...mute, ...trouble, ...issues].join('; ') || 'nothing';
}

export function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}

const over = (row: Row): boolean => row.phase === 'Stopped' || row.phase === 'Failed';

interface Span {
  phase: string;
  from: number;
  to: number;
}

/** The phases of one launch, as far as its row still tells them. */
export function spans(row: Row, now: number): Span[] {
  const start = row.worker?.startUp;
  const known: [string, number | null | undefined][] = [
    ['Launching', row.intent?.decidedAt],
    ['Joining', start?.processAt],
    ['WaitingForSpeaker', start?.joinedAt],
    ['Live', start?.firstAudioAt],
  ];
  const begins = known.flatMap(([name, at]) => (at === null || at === undefined ? [] : [{ phase: name, from: at }]));
  const last = begins.at(-1);
  if (last === undefined || (last.phase !== row.phase && row.phaseSince >= last.from)) begins.push({ phase: row.phase, from: row.phaseSince });
  const end = over(row) ? row.phaseSince + 1_000 : now;
  return begins.map((span, index) => ({ ...span, to: begins[index + 1]?.from ?? Math.max(end, span.from) }));
}

function timeline({ sessions, at }: Board): void {
  const rows = sessions.flatMap(({ row }) => (row === undefined ? [] : [row])).sort((a, b) => a.generation - b.generation);
  const all = rows.map((row, index) => {
    const next = rows[index + 1]?.intent?.decidedAt ?? at;
    return { row, spans: spans(row, Math.min(at, next)) };
  });
  const [first, last] = [Math.min(...all.map(({ spans: [span] }) => span?.from ?? at)), Math.max(...all.flatMap((one) => one.spans.map((span) => span.to)))];
  const width = Math.max(last - first, 1_000);
  const part = (span: Span) => {
    const place = `left:${(((span.from - first) / width) * 100).toFixed(2)}%;width:${(((span.to - span.from) / width) * 100).toFixed(2)}%`;
    return h('span', { class: `span ${span.phase}`, style: place });
  };
  const named = (span: Span, row: Row) => {
    const lasted = over(row) && span.phase === row.phase ? '' : ` ${((span.to - span.from) / 1_000).toFixed(1)} s`;
    return h('span', {}, h('i', { class: `dot ${span.phase}` }), `${span.phase}${lasted}`);
  };
  const lanes = all.map(({ row, spans: parts }) =>
    h('li', {}, h('span', { class: 'generation' }, `launch ${row.generation}`), h('div', { class: 'lane', 'aria-hidden': 'true' }, ...parts.map(part)),
      h('p', {}, ...parts.map((span) => named(span, row)))));
  by('timeline').replaceChildren(...lanes);
}
