// How a caption is written: its language, its direction, what of it stands and what may still change.
import { stableText } from '../../../../schemas/front-end/listener.ts';
import type { Caption } from '../../../../schemas/front-end/messages.ts';
import { direction } from './languages.ts';

export interface Written {
  lang: string;
  dir: 'rtl' | 'ltr';
  /** Will not change any more. */
  firm: string;
  /** Behind it, with the space between them. */
  loose: string;
}

/** A caption that is not translated is in the speaker's language, whoever reads it. */
export function written(caption: Caption): Written {
  const lang = caption.degraded ? caption.sourceLanguage : caption.language;
  const firm = stableText(caption);
  return { lang, dir: direction(lang), firm, loose: caption.text.slice(firm.length) };
}
