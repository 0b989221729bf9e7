// After each fault: when listeners read on, so that a person sees the recovery and not only the trouble.
import type { Caption } from '../../../../schemas/front-end/messages.ts';
import { h } from './dom.ts';

const NAMES = new Intl.DisplayNames(['en'], { type: 'language' });

/** When something was broken, and by which launch of the worker captions came then. */
export interface Before {
  at: number;
  generation: number;
}

/** Whether a caption proves that what was broken is over: its last word was spoken after it. What was spoken before, or is said again, proves nothing. */
export function proves(fault: string, caption: Caption, { at, generation }: Before): boolean {
  if (caption.catchUp || caption.timestamp - caption.lagMs <= at) return false;
  if (fault === 'kill-worker') return caption.generation > generation;
  if (fault === 'throttle-translate') return caption.isFinal && !caption.degraded;
  return true;
}

/** What it proves, in the words of the list. */
const AGAIN: Record<string, string> = {
  'kill-worker': 'the next worker writes on',
  'throttle-translate': 'whole sentences again',
  'tab-gone': 'captions since the speaker came back',
};

interface Waiting {
  fault: string;
  /** When it was broken; of a speaker who left, when they came back. */
  at: number;
  /** Launches, by language. */
  before: Map<string, number>;
  /** Seconds, by language. */
  after: Map<string, number>;
  item: HTMLElement;
}

export class Recoveries {
  private readonly generations = new Map<string, number>();
  private waiting: Waiting[] = [];

  constructor(private readonly list: HTMLElement) {
    setInterval(() => this.waiting.forEach((one) => draw(one)), 1_000);
  }

  clear(): void {
    this.generations.clear();
    this.waiting = [];
    this.list.replaceChildren();
  }

  /** Something was broken just now. */
  broken(fault: string, label: string): void {
    const now = Date.now();
    const item = h('li', { 'data-broken': fault }, h('time', {}, new Date(now).toLocaleTimeString('en-GB')), ' ', h('b', {}, label), ': ', h('span', {}));
    const one = { fault, at: fault === 'tab-gone' ? Infinity : now, before: new Map(this.generations), after: new Map<string, number>(), item };
    this.list.prepend(item);
    this.waiting.push(one);
    draw(one);
  }

  /** The speaker has come back. */
  returned(): void {
    for (const one of this.waiting) one.at = Math.min(one.at, Date.now());
    this.waiting.forEach((one) => draw(one));
  }

  heard(language: string, caption: Caption): void {
    for (const one of this.waiting) {
      const generation = one.before.get(language);
      if (generation === undefined || one.after.has(language) || !proves(one.fault, caption, { at: one.at, generation })) continue;
      one.after.set(language, (Date.now() - one.at) / 1_000);
    }
    this.settle();
    this.generations.set(language, Math.max(caption.generation, this.generations.get(language) ?? 0));
  }

  /** Who left waits for nothing. */
  left(language: string): void {
    this.generations.delete(language);
    for (const one of this.waiting) if (!one.after.has(language)) one.before.delete(language);
    this.settle();
  }

  private settle(): void {
    this.waiting.forEach((one) => draw(one));
    this.waiting = this.waiting.filter(({ before, after }) => after.size < before.size);
  }
}

function draw({ fault, at, before, after, item }: Waiting): void {
  const said = item.lastElementChild;
  if (said === null) return;
  const name = (language: string) => NAMES.of(language) ?? language;
  const back = [...after].map(([language, seconds]) => `${name(language)} after ${seconds.toFixed(1)} s`);
  const open = [...before.keys()].filter((language) => !after.has(language)).map(name);
  const waits = `${open.join(' and ')} ${open.length > 1 ? 'wait' : 'waits'}${at === Infinity ? '' : ` since ${Math.round((Date.now() - at) / 1_000)} s`}`;
  const parts = [
    before.size === 0 ? 'nobody was reading' : '',
    back.length > 0 ? `${AGAIN[fault] ?? 'captions of what was said since'}: ${back.join(', ')}` : '',
    open.length > 0 ? waits : '',
  ].filter((part) => part !== '');
  item.classList.toggle('over', open.length === 0);
  if (said.textContent !== parts.join('; ')) said.textContent = parts.join('; ');
}
