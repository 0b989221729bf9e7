// Puts the main page together: speaker, listeners, voice, operator. A listener's own page is listen/.
import { api, type Config } from './api.ts';
import { column, type Column } from './column.ts';
import { by, does, h } from './dom.ts';
import { EmotionPanel } from './emotion.ts';
import { choices, fillPicker, nameOf, ownName, preferred, standsIn, translated } from './languages.ts';
import { headings, OperatorPanel } from './operator.ts';
import { Recoveries } from './recovery.ts';
import { share } from './share.ts';
import { SpeakerPanel } from './speaking.ts';

class Page {
  private session: string | null = new URLSearchParams(location.search).get('session');
  private readonly columns = new Map<string, Column>();
  /** The language whose finals a screen reader is told: two at once cannot be listened to. */
  private talks: string | null = null;
  private readonly emotion = new EmotionPanel(by('plots'), by('voice-words'), by('usual'));
  private readonly operator = new OperatorPanel((session) => this.of(session), (fault, label) => this.recoveries.broken(fault, label));
  private readonly recoveries = new Recoveries(by('broken'));

  constructor(private readonly config: Config) {
    const { sourceLanguages, languages, translation } = config;
    by('source-language').append(...sourceLanguages.map((language) => h('option', { value: language }, nameOf(language))));
    fillPicker(by('add-language'), choices(languages, translation), (code) => [...new Set([ownName(code), nameOf(code)])].join(' – '), languages[0]);
    by('about').textContent = standsIn(translation);
    does(by('add-listener'), by('listener-says'), async () => this.listen(by<HTMLSelectElement>('add-language').value));
    does(by('share-open'), by('listener-says'), async () => {
      if (this.session === null) throw new Error('Start a session first: its link is what can be shared.');
      share(this.session, config.share ?? null);
    });
    headings();
    parts();
    const gone = () => this.recoveries.broken('tab-gone', "Speaker's tab gone");
    new SpeakerPanel(config, { begun: (session) => this.begin(session), gone, back: () => this.recoveries.returned() });
    if (this.session !== null) this.of(this.session);
  }

  /** A session that this page has made: somebody should read along, in what is spoken and in a language that is translated. */
  private begin(session: string): void {
    for (const old of [...this.columns.values()]) old.close();
    this.emotion.clear();
    this.recoveries.clear();
    this.of(session);
    const spoken = by<HTMLSelectElement>('source-language').value;
    const { translation } = this.config;
    const others = translated(translation).filter((language) => language !== spoken);
    const other = preferred([...navigator.languages, 'es'], others) ?? others[0];
    for (const language of [spoken, other]) if (language !== undefined) this.listen(language);
  }

  private of(session: string): void {
    this.session = session;
    by('session').textContent = session;
    document.title = `${session} – speaker and operator`;
    const url = new URL(location.href);
    url.searchParams.set('session', session);
    history.replaceState(null, '', url);
    this.operator.follow(session);
  }

  private listen(language: string): void {
    if (this.session === null) throw new Error('Start a session first, or open the link of one.');
    if (this.columns.has(language)) throw new Error(`There is a listener in ${nameOf(language)} already.`);
    this.talks ??= language;
    const said = this.talks === language ? by('said') : null;
    const made = column(this.config.socket, this.session, language, said, (message) => {
      if (message.type === 'emotion') this.emotion.take(message);
      if (message.type === 'transcription') this.recoveries.heard(language, message);
    }, () => {
      this.columns.delete(language);
      if (this.talks === language) this.talks = null;
      this.recoveries.left(language);
      by('no-listeners').hidden = this.columns.size > 0;
    });
    this.columns.set(language, made);
    by('listeners').append(made.element);
    by('no-listeners').hidden = true;
  }
}

/** On a telephone one part of the page is shown at a time. */
function parts(): void {
  const buttons = [...document.querySelectorAll<HTMLButtonElement>('button[data-part]')];
  const show = (part: string) => {
    document.body.dataset['part'] = part;
    for (const button of buttons) button.setAttribute('aria-pressed', String(button.dataset['part'] === part));
  };
  for (const button of buttons) {
    button.addEventListener('click', () => {
      show(button.dataset['part'] ?? 'speaker');
      scrollTo(0, 0);
    });
  }
  show('speaker');
}

api.config().then((config) => new Page(config)).catch((problem: unknown) => {
  by('listener-says').textContent = problem instanceof Error ? problem.message : String(problem);
});
