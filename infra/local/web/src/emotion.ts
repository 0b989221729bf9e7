// How the speaker sounds, as small live plots. What a message does not carry is not shown.
import type { Emotion } from '../../../../schemas/front-end/messages.ts';
import { h, s } from './dom.ts';

const SPAN_MS = 60_000;
const [WIDTH, HEIGHT] = [300, 72];

interface Point {
  at: number;
  value: number;
  /** The speaker's own usual value. */
  usual: number | null;
}

interface Plot {
  name: string;
  unit: string;
  range: [number, number];
  digits: number;
  read(message: Emotion): { value: number | null; usual: number | null; word: string };
}

/** A number somewhere in a message, if it is there: newer workers tell more than older ones. */
function number(message: unknown, ...path: string[]): number | null {
  const found = dig(message, path);
  return typeof found === 'number' && Number.isFinite(found) ? found : null;
}
function word(message: unknown, ...path: string[]): string {
  const found = dig(message, path);
  return typeof found === 'string' ? found.replaceAll('_', ' ') : '';
}
function dig(message: unknown, path: string[]): unknown {
  return path.reduce<unknown>((at, name) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[name] : undefined), message);
}
const less = (value: number | null, by: number | null): number | null => (value === null || by === null ? null : value - by);

const PLOTS: Plot[] = [
  {
    name: 'Volume', unit: 'dBFS', range: [-60, 0], digits: 0,
    read: (m) => ({ value: number(m, 'volume', 'dbfs'), usual: less(number(m, 'volume', 'dbfs'), number(m, 'volume', 'relativeDb')), word: word(m, 'volume', 'level') }),
  },
  {
    name: 'Rate', unit: 'words/min', range: [60, 260], digits: 0,
    read: (m) => ({ value: number(m, 'rate', 'wpm'), usual: null, word: word(m, 'rate', 'classification') }),
  },
  {
    name: 'Syllables', unit: 'per s', range: [0, 10], digits: 1,
    read: (m) => ({ value: number(m, 'rate', 'syllablesPerSecond'), usual: null, word: '' }),
  },
  {
    name: 'Pitch', unit: 'Hz', range: [60, 360], digits: 0,
    read: (m) => {
      const [hz, semitones] = [number(m, 'pitch', 'hz'), number(m, 'pitch', 'relativeSemitones')];
      return { value: hz, usual: hz === null || semitones === null ? null : hz / 2 ** (semitones / 12), word: '' };
    },
  },
  {
    name: 'Arousal', unit: '0 to 1', range: [0, 1], digits: 2,
    read: (m) => ({ value: number(m, 'arousal', 'value'), usual: number(m, 'arousal', 'value') === null ? null : 0.5, word: '' }),
  },
];

export class EmotionPanel {
  private readonly points = new Map<string, Point[]>();
  private readonly seen = new Set<string>();
  private readonly nothing = h('p', { class: 'empty' }, 'Volume, rate and what else the worker tells, of the last minute.');

  constructor(private readonly plots: HTMLElement, private readonly words: HTMLElement, private readonly usual: HTMLElement) {
    this.clear();
    setInterval(() => this.points.size > 0 && this.draw(Date.now()), 1_000);
  }

  clear(): void {
    this.points.clear();
    this.seen.clear();
    this.plots.replaceChildren(this.nothing);
    this.words.textContent = '';
    this.usual.hidden = true;
  }

  /** Every listener of this page hears the same: it counts once. */
  take(message: Emotion): void {
    const key = `${message.timestamp}/${message.startMs}/${message.endMs}`;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    const said: string[] = [];
    for (const plot of PLOTS) {
      const { value, usual, word: told } = plot.read(message);
      if (value === null) continue;
      if (told !== '') said.push(`${plot.name.toLowerCase()} ${told}`);
      this.points.set(plot.name, [...(this.points.get(plot.name) ?? []), { at: message.timestamp, value, usual }]);
    }
    const [category, confidence] = [word(message, 'category'), number(message, 'categoryConfidence')];
    if (category !== '') said.unshift(confidence === null ? category : `${category} (${Math.round(confidence * 100)} %)`);
    const flags = dig(message, ['flags']);
    if (Array.isArray(flags) && flags.length > 0) said.push(`careful: ${flags.join(', ').replaceAll('_', ' ')}`);
    this.words.textContent = said.join(' · ');
    this.draw(Date.now());
  }

  private draw(now: number): void {
    const drawn = PLOTS.flatMap((plot) => {
      const points = (this.points.get(plot.name) ?? []).filter((point) => now - point.at < SPAN_MS);
      this.points.set(plot.name, points);
      return points.length === 0 ? [] : [figure(plot, points, now)];
    });
    this.plots.replaceChildren(...(drawn.length > 0 ? drawn : [this.nothing]));
    this.usual.hidden = ![...this.points.values()].some((points) => points.some(({ usual }) => usual !== null));
  }
}

function figure({ name, unit, range: [low, high], digits }: Plot, points: Point[], now: number): HTMLElement {
  const x = (at: number) => WIDTH - 6 - ((now - at) / SPAN_MS) * (WIDTH - 12);
  const y = (value: number) => HEIGHT - 6 - ((Math.min(Math.max(value, low), high) - low) / (high - low)) * (HEIGHT - 12);
  const last = points.at(-1);
  const path = (read: (point: Point) => number | null) =>
    points.flatMap((point) => {
      const value = read(point);
      return value === null ? [] : [`${x(point.at).toFixed(1)},${y(value).toFixed(1)}`];
    }).join(' ');
  const value = last === undefined ? '' : last.value.toFixed(digits).replace('-', '−');
  const drawing = s('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': `${name} of the last minute, now ${value} ${unit}` },
    s('polyline', { class: 'usual', points: path((point) => point.usual) }),
    s('polyline', { class: 'value', points: path((point) => point.value) }),
    ...points.map((point) => s('circle', { cx: x(point.at).toFixed(1), cy: y(point.value).toFixed(1), r: '2.5' })));
  return h('figure', { 'data-plot': name }, h('figcaption', {}, h('span', {}, name), h('b', {}, value), ` ${unit}`), drawing);
}
