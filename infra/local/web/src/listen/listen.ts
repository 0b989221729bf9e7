// A listener's page of its own, made for a telephone: `listen/?session=ID&language=es`. It needs nothing of the machine but this folder and its socket.
import { Captions } from '../captions.ts';
import { by, h, tell } from '../dom.ts';
import { choices, direction, fillPicker, nameOf, ownName, preferred, standsIn, type Translation } from '../languages.ts';
import { lagOf, Reader } from '../reader.ts';
import { drawer, MODES, parse, resized, SIZES, THEMES, type Settings } from '../settings.ts';
import { colours } from '../theme.ts';

/** `GET /api/listen`: all that a listener is told of the machine. */
interface Offer {
  languages: string[];
  sourceLanguages: string[];
  translation: Translation;
}

const KEPT = 'session-translation.listener';
const SOCKET = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/listen/socket`;

class Page {
  private settings: Settings = parse(drawer.read(KEPT));
  private readonly query = new URLSearchParams(location.search);
  private readonly captions = new Captions({
    list: by<HTMLOListElement>('captions'),
    more: by<HTMLButtonElement>('more'),
    said: by('said'),
    changed: ({ following }) => tell(by('pause'), following ? 'Pause' : 'Follow'),
  });
  private reader: Reader | null = null;

  constructor(offer: Offer) {
    const language = preferred([this.query.get('language') ?? '', this.settings.language ?? '', ...navigator.languages], offer.languages) ?? offer.languages[0] ?? 'en';
    fillPicker(by('language'), choices(offer.languages, offer.translation), ownName, language);
    by('about').textContent = standsIn(offer.translation);
    this.controls();
    this.apply();
    const session = this.query.get('session') ?? '';
    if (session === '') this.ask();
    else this.read(session, language);
  }

  private controls(): void {
    const language = by<HTMLSelectElement>('language');
    language.addEventListener('change', () => {
      this.keep({ ...this.settings, language: language.value });
      const session = this.query.get('session') ?? '';
      if (session !== '') this.read(session, language.value);
    });
    const open = by('settings-open');
    open.addEventListener('click', () => {
      by('settings').hidden = !by('settings').hidden;
      open.setAttribute('aria-expanded', String(!by('settings').hidden));
      this.captions.toEnd();
    });
    by('smaller').addEventListener('click', () => this.keep(resized(this.settings, -1)));
    by('larger').addEventListener('click', () => this.keep(resized(this.settings, 1)));
    for (const theme of document.querySelectorAll<HTMLInputElement>('input[name=theme]')) {
      theme.addEventListener('change', () => this.keep({ ...this.settings, theme: THEMES.find((known) => known === theme.value) ?? 'system' }));
    }
    for (const mode of document.querySelectorAll<HTMLInputElement>('input[name=mode]')) {
      mode.addEventListener('change', () => {
        this.keep({ ...this.settings, mode: MODES.find((known) => known === mode.value) ?? 'usual' });
        this.reader?.choose(this.settings.mode);
      });
    }
    by<HTMLInputElement>('original').addEventListener('change', ({ target }) => this.keep({ ...this.settings, original: (target as HTMLInputElement).checked }));
    by('pause').addEventListener('click', () => this.captions.press(this.captions.following ? 'pause' : 'follow'));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.apply());
    matchMedia('(prefers-contrast: more)').addEventListener('change', () => this.apply());
  }

  private keep(settings: Settings): void {
    this.settings = settings;
    drawer.write(KEPT, settings);
    this.apply();
  }

  private apply(): void {
    const { size, theme, original, mode } = this.settings;
    colours(theme);
    document.body.classList.toggle('originals', original);
    by('captions').style.setProperty('--size', `${SIZES[size] ?? 1.5}rem`);
    by('size').textContent = `${size + 1} of ${SIZES.length}`;
    by<HTMLInputElement>('original').checked = original;
    for (const input of document.querySelectorAll<HTMLInputElement>('input[name=theme]')) input.checked = input.value === theme;
    for (const input of document.querySelectorAll<HTMLInputElement>('input[name=mode]')) input.checked = input.value === mode;
    this.captions.toEnd();
  }

  /** Without a session in the link: its name is typed. */
  private ask(): void {
    by('join').hidden = false;
    by('captions').hidden = by('pause').hidden = true;
    by('join').addEventListener('submit', (event) => {
      event.preventDefault();
      by('join').hidden = true;
      by('captions').hidden = by('pause').hidden = false;
      this.read(by<HTMLInputElement>('join-session').value.trim(), by<HTMLSelectElement>('language').value);
      by('captions').focus();
    });
  }

  private read(session: string, language: string): void {
    this.reader?.close();
    this.captions.clear();
    this.query.set('session', session);
    this.query.set('language', language);
    history.replaceState(null, '', `?${this.query}`);
    document.title = `${ownName(language)} – captions of ${session}`;
    by('title').textContent = `Captions of ${session} in ${nameOf(language)}`;
    by('session').textContent = session;
    by('captions').dir = direction(language);
    by('captions').setAttribute('aria-label', `Captions in ${nameOf(language)}`);
    document.body.dataset['link'] = 'joining';
    tell(by('state'), 'Connecting…');
    by('empty').hidden = false;
    this.reader = new Reader(SOCKET, session, language, this.captions, (now, words) => {
      const lag = lagOf(now);
      by('lag').textContent = lag.text;
      by('lag').classList.toggle('late', lag.late);
      by('empty').hidden = now.finals.length + now.partials.size > 0;
      document.body.dataset['link'] = now.over ? 'over' : now.link;
      tell(by('state'), words);
    }, undefined, this.settings.mode);
  }
}

colours(parse(drawer.read(KEPT)).theme); // before anything is seen
fetch('../api/listen').then((answer) => answer.json() as Promise<Offer>).then((offer) => new Page(offer)).catch(() => {
  document.body.append(h('p', { role: 'alert' }, 'This page cannot reach the machine that it came from. Is it still running, and is this telephone in its network? Load the page again.'));
});
