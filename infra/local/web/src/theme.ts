// The colours that somebody chose, or that their device asks for.
import type { Theme } from './settings.ts';

export function colours(theme: Theme): void {
  const asks = (query: string) => matchMedia(query).matches;
  const device = asks('(prefers-contrast: more)') ? 'contrast' : asks('(prefers-color-scheme: dark)') ? 'dark' : 'light';
  document.documentElement.dataset['theme'] = theme === 'system' ? device : theme;
}
