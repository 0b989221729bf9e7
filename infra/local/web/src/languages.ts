// Languages as a reader looks for them: by their own names, those that are translated here first.

/** What stands in for Amazon Translate on this machine: a sentence, and the engines with the languages that each makes. */
export interface Translation {
  says: string;
  /** The spoken language that this is told for. */
  source: string;
  engines: { engine: string; languages: string[] }[];
  untranslated: string[];
}

export const translated = ({ engines }: Translation): string[] => engines.flatMap(({ languages }) => languages);

/** Scripts that are written from right to left; not every browser tells it (`Intl.Locale.getTextInfo`). */
const RIGHT_TO_LEFT = new Set(['ar', 'fa', 'he', 'ps', 'ur', 'yi', 'dv', 'ug', 'sd']);
const ENGLISH = new Intl.DisplayNames(['en'], { type: 'language' });

export const nameOf = (language: string): string => ENGLISH.of(language) ?? language;

export const direction = (language: string): 'rtl' | 'ltr' => (RIGHT_TO_LEFT.has(language) ? 'rtl' : 'ltr');

/** What its speakers call a language, with a capital, since it stands alone. */
export function ownName(language: string): string {
  const name = new Intl.DisplayNames([language, 'en'], { type: 'language' }).of(language) ?? language;
  const [first = '', ...rest] = name;
  return first.toLocaleUpperCase(language) + rest.join('');
}

export interface Choice {
  code: string;
  name: string;
}

/** Both lists in the order of the alphabet: what can be read translated (or as it is spoken), and what only comes as the original, marked. */
export function choices(offered: readonly string[], translation: Translation): { here: Choice[]; marked: Choice[] } {
  const named = (codes: string[]) => codes.map((code) => ({ code, name: ownName(code) })).sort((a, b) => a.name.localeCompare(b.name));
  const isHere = (code: string) => translated(translation).includes(code) || code === translation.source;
  return { here: named(offered.filter(isHere)), marked: named(offered.filter((code) => !isHere(code))) };
}

/** The first language that this person wants, of those that are offered; the browser's may carry a region. */
export function preferred(wanted: readonly string[], offered: readonly string[]): string | undefined {
  return wanted.map((one) => one.toLowerCase().split('-')[0] ?? '').find((one) => offered.includes(one));
}

/** Fills a picker with both lists. */
export function fillPicker(select: HTMLSelectElement, { here, marked }: { here: Choice[]; marked: Choice[] }, name: (code: string) => string, chosen?: string): void {
  const option = ({ code }: Choice) => {
    const made = new Option(name(code), code, code === chosen, code === chosen);
    [made.lang, made.dir] = [code, direction(code)];
    return made;
  };
  const group = (label: string, list: Choice[]) => {
    const made = document.createElement('optgroup');
    made.label = label;
    made.append(...list.map(option));
    return made;
  };
  const lists = marked.length === 0 ? here.map(option) : [group('Translated', here), group('Not translated here: the original', marked)];
  select.replaceChildren(...lists);
}

/** A sentence on who translates. */
export function standsIn({ engines }: Translation): string {
  if (engines.length === 0) return 'No translator is installed on this machine: every language shows the original, marked.';
  return `On this machine ${engines.map(({ engine }) => engine).join(' and ')} ${engines.length === 1 ? 'stands' : 'stand'} in for Amazon Translate.`;
}
