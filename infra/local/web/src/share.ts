// The link to read along with, and its QR code for a telephone's camera.
import { encode } from 'uqr';
import { by, h, s } from './dom.ts';

/** The path of a QR code in units of its modules, row by row. */
export function pathOf(modules: readonly (readonly boolean[])[]): string {
  return modules.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join('');
}

function picture(link: string): SVGSVGElement {
  const { data, size } = encode(link, { ecc: 'M', border: 4 });
  return s('svg', { viewBox: `0 0 ${size} ${size}`, role: 'img', 'aria-label': 'QR code of the link', class: 'qr', 'shape-rendering': 'crispEdges' },
    s('rect', { width: String(size), height: String(size), fill: '#fff' }), s('path', { d: pathOf(data), fill: '#000' }));
}

/** The listener's page of a session; without a language each telephone takes its own. `network` is where telephones reach it. */
export const linkTo = (session: string, base: string): string => `${base}?${new URLSearchParams({ session })}`;

export function share(session: string, network: string | null): void {
  const dialog = by<HTMLDialogElement>('share');
  const link = linkTo(session, network ?? new URL('listen/', location.href).href);
  const copied = h('span', { role: 'status', class: 'quiet' });
  const copy = h('button', { type: 'button', click: () => void navigator.clipboard.writeText(link).then(() => (copied.textContent = 'Copied.'), () => (copied.textContent = 'Copy it by hand, please.')) }, 'Copy the link');
  const alone = [
    h('p', {}, 'This link works on this machine only: the page is not open to the network.'),
    h('p', {}, 'For telephones in the same network, start it again with the address of this machine there, for example'),
    h('pre', {}, h('code', {}, 'make demo-web ARGS="--web-bind 192.168.1.20"')),
    h('p', { class: 'quiet' }, 'Then they can read captions; they cannot speak, stop anything or see the other parts of this page.'),
  ];
  const open = [picture(link), h('p', {}, 'Point the camera of a telephone in the same network at it. Everybody chooses their own language.')];
  by('share-what').replaceChildren(...(network === null ? alone : open), h('p', {}, h('a', { href: link, target: '_blank' }, link)), h('p', { class: 'row' }, copy, copied));
  dialog.showModal();
}
