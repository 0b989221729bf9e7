// One listener's column: the example listener of schemas/front-end, and how its captions look.
import { Listener } from '../../../../schemas/front-end/listener.ts';
import type { Caption, Incoming } from '../../../../schemas/front-end/messages.ts';
import { h } from './dom.ts';

/** The listener as it is, with an ear for the rest of the page. */
class Attentive extends Listener {
  heard: (message: Incoming) => void = () => {};

  override take(message: Incoming): void {
    this.heard(message);
    super.take(message);
  }
}

export interface Column {
  element: HTMLElement;
  close(): void;
}

/** The product's aim is 2 s from the speaker to the text; this is clearly more. */
const LATE_MS = 3_000;
const NAMES = new Intl.DisplayNames(['en'], { type: 'language' });
export const nameOf = (language: string): string => NAMES.of(language) ?? language;

export function column(socket: string, sessionId: string, language: string, heard: (message: Incoming) => void, closed: () => void): Column {
  const captions = h('ol', { class: 'captions', tabindex: '0', 'aria-label': `Captions in ${nameOf(language)}` });
  const lag = h('span', { class: 'lag', title: 'from the last spoken word to the post' });
  const notice = h('p', { class: 'notice', role: 'status', hidden: true });
  const alone = h('a', { href: `?view=listen&session=${sessionId}&languages=${language}`, target: '_blank', class: 'quiet' }, 'own tab');
  const leave = h('button', { type: 'button', class: 'quiet', 'aria-label': `Close ${nameOf(language)}` }, '✕');
  const head = h('header', {}, h('h3', { lang: 'en' }, nameOf(language)), lag, alone, leave);
  const element = h('article', { class: 'listener', 'data-language': language }, head, notice, captions);
  // Who scrolls back to read is left in peace.
  let atEnd = true;
  captions.addEventListener('scroll', () => (atEnd = captions.scrollHeight - captions.scrollTop - captions.clientHeight < 40));
  const shown = new Map<string, HTMLElement>();

  const listener = new Attentive(socket, { sessionId, targetLanguage: language }, (now) => {
    const wanted = [...now.finals, ...now.partials.values()];
    const keys = new Set(wanted.map((caption) => caption.segmentId));
    for (const [key, item] of shown) if (!keys.has(key)) void (item.remove(), shown.delete(key));
    wanted.forEach((caption, index) => {
      const item = shown.get(caption.segmentId) ?? h('li', { 'data-arrived': String(Date.now()) });
      shown.set(caption.segmentId, item);
      if (item.dataset['revision'] !== `${caption.revision} ${caption.isFinal}`) draw(item, caption);
      if (captions.children[index] !== item) captions.insertBefore(item, captions.children[index] ?? null);
    });
    const last = now.finals.filter((caption) => !caption.catchUp).at(-1);
    lag.classList.toggle('late', last !== undefined && last.lagMs > LATE_MS);
    lag.textContent = last === undefined ? '' : `+${(last.lagMs / 1_000).toFixed(1)} s`;
    notice.textContent = now.over ? 'The session has ended.' : now.notice;
    notice.hidden = notice.textContent === '';
    element.classList.toggle('degraded', now.notice !== '');
    if (atEnd) captions.scrollTop = captions.scrollHeight;
  });
  new ResizeObserver(() => atEnd && (captions.scrollTop = captions.scrollHeight)).observe(captions);
  listener.heard = heard;
  listener.open();
  const close = () => {
    listener.over = true; // it opens no other socket; the service forgets this one when the tab goes
    element.remove();
    closed();
  };
  leave.addEventListener('click', close);
  return { element, close };
}

/** What is stable stands firm, what may still change is paler; the original stands beside what was not translated well. */
function draw(item: HTMLElement, caption: Caption): void {
  const words = caption.text.split(' ');
  const firm = caption.isFinal ? words.length : caption.stableWords;
  const rest = words.slice(firm).join(' ');
  const marks = [caption.catchUp ? 'earlier' : '', caption.degraded ? 'not translated' : ''].filter((mark) => mark !== '').join(', ');
  item.className = [caption.isFinal ? 'final' : 'partial', caption.catchUp ? 'catch-up' : '', caption.degraded ? 'untranslated' : ''].join(' ').trim();
  item.lang = caption.degraded ? caption.sourceLanguage : caption.language;
  Object.assign(item.dataset, {
    revision: `${caption.revision} ${caption.isFinal}`,
    cursor: String(caption.cursor),
    generation: String(caption.generation),
    lag: String(caption.lagMs),
    transit: String(Date.now() - caption.timestamp),
    starts: String(caption.startMs),
  });
  item.replaceChildren(h('span', {}, words.slice(0, firm).join(' ')), ...(rest === '' ? [] : [' ', h('span', { class: 'loose' }, rest)]));
  if (marks !== '') item.append(' ', h('span', { class: 'mark' }, marks));
  if (caption.sourceText !== null && caption.isFinal && caption.sourceText !== caption.text) item.append(h('p', { class: 'original', lang: caption.sourceLanguage }, caption.sourceText));
}
