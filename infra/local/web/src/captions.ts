// A list of captions as people see it: what stands, what may still change, where something is missing; and what a screen reader is told.
import type { Listener } from '../../../../schemas/front-end/listener.ts';
import type { Caption } from '../../../../schemas/front-end/messages.ts';
import { h } from './dom.ts';
import { follow, FOLLOWING, label, type Follow, type Moved } from './follow.ts';
import { direction } from './languages.ts';
import { gapBefore, missingWords } from './link.ts';
import { written } from './written.ts';

/** So close to the end counts as the end, px. */
const END = 40;
/** So many finals stay in the live region; a screen reader has said the others. */
const SAID = 10;

export interface Parts {
  /** Scrolls. */
  list: HTMLOListElement;
  /** Leads back to the newest. */
  more: HTMLButtonElement;
  /** A polite live region that only finals get into, or null where another list talks. */
  said: HTMLElement | null;
  /** Whether the list follows was changed. */
  changed?: (now: Follow) => void;
}

export class Captions {
  private readonly shown = new Map<string, HTMLElement>();
  private now = FOLLOWING;
  /** Where we scrolled to ourselves: the event that comes of it is nobody's wish. */
  private own = -1;

  constructor(private readonly parts: Parts) {
    const { list, more } = parts;
    list.addEventListener('scroll', () => {
      if (Math.abs(list.scrollTop - this.own) < 2) return;
      this.move({ scrolled: list.scrollHeight - list.scrollTop - list.clientHeight < END ? 'atEnd' : 'away' });
    });
    more.addEventListener('click', () => {
      this.move({ pressed: 'follow' });
      list.focus(); // the button goes away
    });
    new ResizeObserver(() => this.toEnd()).observe(list);
    this.move({ pressed: 'follow' });
  }

  get following(): boolean {
    return this.now.following;
  }

  press(wish: 'pause' | 'follow'): void {
    this.move({ pressed: wish });
  }

  /** Another size of the letters. */
  toEnd(): void {
    const { list } = this.parts;
    if (!this.now.following) return;
    list.scrollTop = list.scrollHeight;
    this.own = list.scrollTop;
  }

  clear(): void {
    this.shown.clear();
    this.parts.list.replaceChildren();
    this.parts.said?.replaceChildren();
    this.move({ pressed: 'follow' });
  }

  show({ finals, partials }: Listener): void {
    const { list } = this.parts;
    const wanted = [...finals, ...partials.values()];
    const keys = new Set(wanted.map((caption) => caption.segmentId));
    for (const [key, item] of this.shown) if (!keys.has(key)) void (item.remove(), this.shown.delete(key));
    let fresh = 0;
    wanted.forEach((caption, index) => {
      const item = this.shown.get(caption.segmentId) ?? h('li', { 'data-arrived': String(Date.now()) });
      this.shown.set(caption.segmentId, item);
      const revision = `${caption.revision} ${caption.isFinal}`;
      const isNew = item.dataset['revision'] !== revision;
      if (isNew) draw(item, caption);
      const missing = missingWords(gapBefore(finals[index - 1], caption));
      if (missing === '') delete item.dataset['missing'];
      else item.dataset['missing'] = missing;
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
      if (isNew && caption.isFinal) {
        if (caption.revised !== true) fresh += 1; // the translation of an original that stands there is no further caption
        this.say(caption);
      }
    });
    if (fresh > 0) this.move({ came: fresh });
    this.toEnd();
  }

  private move(moved: Moved): void {
    this.now = follow(this.now, moved);
    const words = label(this.now);
    this.parts.more.hidden = words === '';
    this.parts.more.textContent = words;
    this.parts.changed?.(this.now);
    this.toEnd();
  }

  private say(caption: Caption): void {
    const { said } = this.parts;
    if (said === null) return;
    const { lang, dir } = written(caption);
    const text = h('bdi', { lang, dir }, caption.text);
    const item = caption.degraded ? h('p', { lang: 'en', dir: 'ltr' }, 'Not translated: ', text) : h('p', { dir }, text);
    said.append(item);
    while (said.children.length > SAID) said.firstElementChild?.remove();
  }
}

/** What is stable stands firm, what may still change is paler; the original stands below what is a translation. The text is a `bdi`, so that
 * a mark beside it, or an English name within Arabic, moves nothing of the rest. */
function draw(item: HTMLElement, caption: Caption): void {
  const { lang, dir, firm, loose } = written(caption);
  const marks = [caption.catchUp ? 'earlier' : '', caption.degraded ? 'not translated' : ''].filter((mark) => mark !== '').join(', ');
  item.className = [caption.isFinal ? 'final' : 'partial', caption.catchUp ? 'catch-up' : '', caption.degraded ? 'untranslated' : ''].join(' ').trim();
  [item.lang, item.dir] = [lang, dir];
  Object.assign(item.dataset, {
    revision: `${caption.revision} ${caption.isFinal}`,
    cursor: String(caption.cursor),
    generation: String(caption.generation),
    lag: String(caption.lagMs),
    transit: String(Date.now() - caption.timestamp),
    starts: String(caption.startMs),
  });
  item.replaceChildren(h('bdi', { dir }, h('span', {}, firm), ...(loose === '' ? [] : [h('span', { class: 'loose' }, loose)])));
  if (marks !== '') item.append(' ', h('span', { class: 'mark', lang: 'en', dir: 'ltr' }, marks));
  if (caption.sourceText !== null && caption.isFinal && caption.sourceText !== caption.text) {
    item.append(h('p', { class: 'original', lang: caption.sourceLanguage, dir: direction(caption.sourceLanguage) }, caption.sourceText));
  }
}
