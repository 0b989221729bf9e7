// What a browser keeps of how somebody likes to read. Nothing of it says who they are.
import type { CaptionMode } from '../../../../schemas/front-end/messages.ts';

export const THEMES = ['system', 'light', 'dark', 'contrast'] as const;
export type Theme = (typeof THEMES)[number];
/** How settled a text must be before it is shown. */
export const MODES = ['usual', 'stable', 'fast'] as const satisfies readonly CaptionMode[];
/** Sizes of the captions, rem. */
export const SIZES = [1, 1.25, 1.5, 1.9, 2.4, 3.1, 4] as const;

export interface Settings {
  language: string | null;
  /** A place in `SIZES`. */
  size: number;
  theme: Theme;
  /** The original below each translation. */
  original: boolean;
  mode: CaptionMode;
}

export const DEFAULTS: Settings = { language: null, size: 2, theme: 'system', original: false, mode: 'usual' };

/** Reads what was kept, by this version or another; what is not understood is as if nobody had chosen. */
export function parse(text: string | null): Settings {
  const kept = object(text);
  const { language, size, theme, original, mode } = kept;
  return {
    language: typeof language === 'string' && /^[a-z]{2,3}$/.test(language) ? language : DEFAULTS.language,
    size: typeof size === 'number' && Number.isInteger(size) && size >= 0 && size < SIZES.length ? size : DEFAULTS.size,
    theme: THEMES.find((known) => known === theme) ?? DEFAULTS.theme,
    original: typeof original === 'boolean' ? original : DEFAULTS.original,
    mode: MODES.find((known) => known === mode) ?? DEFAULTS.mode,
  };
}

export const resized = (settings: Settings, by: 1 | -1): Settings => ({ ...settings, size: Math.min(SIZES.length - 1, Math.max(0, settings.size + by)) });

function object(text: string | null): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** The browser's own drawer; a browser that has none (a private window, a setting) keeps nothing. */
export const drawer = {
  read: (key: string): string | null => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  },
  write: (key: string, value: unknown): void => {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // Then it is forgotten with the tab.
    }
  },
};
