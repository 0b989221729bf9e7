// One listener's column of the main page: the example listener of schemas/front-end, and how its captions look.
import type { Incoming } from '../../../../schemas/front-end/messages.ts';
import { Captions } from './captions.ts';
import { h } from './dom.ts';
import { direction, nameOf, ownName } from './languages.ts';
import { lagOf, Reader } from './reader.ts';

export interface Column {
  element: HTMLElement;
  close(): void;
}

/** `said` is the live region of the page, for one column of it: two languages at once cannot be listened to. */
export function column(socket: string, sessionId: string, language: string, said: HTMLElement | null, heard: (message: Incoming) => void, closed: () => void): Column {
  const list = h('ol', { class: 'captions', tabindex: '0', dir: direction(language), 'aria-label': `Captions in ${nameOf(language)}` });
  const more = h('button', { type: 'button', class: 'more', hidden: true });
  const lag = h('span', { class: 'lag', title: 'from the last spoken word to the post' });
  const notice = h('p', { class: 'notice', role: 'status', hidden: true });
  const alone = h('a', { href: linkOf(sessionId, language), target: '_blank', class: 'quiet', 'aria-label': `Open ${nameOf(language)} in its own tab` }, 'Open');
  const leave = h('button', { type: 'button', class: 'quiet', 'aria-label': `Close ${nameOf(language)}` }, '✕');
  const head = h('header', {}, h('h3', { lang: language, dir: direction(language), title: nameOf(language) }, ownName(language)), lag, alone, leave);
  const element = h('article', { class: 'listener', 'data-language': language, 'aria-label': `Listener in ${nameOf(language)}` }, head, notice, h('div', { class: 'sheet' }, list, more));
  const reader = new Reader(socket, sessionId, language, new Captions({ list, more, said }), (now, words) => {
    lag.textContent = lagOf(now).text;
    lag.classList.toggle('late', lagOf(now).late);
    notice.textContent = words;
    notice.hidden = words === '';
    element.classList.toggle('degraded', now.notice !== '');
  }, heard);
  const close = () => {
    reader.close();
    element.remove();
    closed();
  };
  leave.addEventListener('click', () => {
    close();
    document.getElementById('add-listener')?.focus(); // the button has gone with the column
  });
  return { element, close };
}

export const linkOf = (session: string, language: string): string => `listen/?${new URLSearchParams({ session, language })}`;

