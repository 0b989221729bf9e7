// What a listener is told of their connection, in words that are true.
import { missedBetween, type Link, type Missed } from '../../../../schemas/front-end/listener.ts';
import type { Caption } from '../../../../schemas/front-end/messages.ts';

/** What is missing between two captions that stand one below the other. A new worker counts from 1: what it said before its first that is shown is known. */
export function gapBefore(before: Caption | undefined, caption: Caption): Missed {
  if (before === undefined || !caption.isFinal) return 0;
  const missed = missedBetween(before, caption);
  return missed === 'unknown' && caption.cursor > 1 ? caption.cursor - 1 : missed;
}

/** The words at a place where captions are missing; a change of worker alone is none. */
export function missingWords(missed: Missed): string {
  if (missed === 'unknown' || missed === 0) return '';
  return missed === 1 ? '1 sentence is missing here' : `${missed} sentences are missing here`;
}

export interface State {
  link: Link;
  missed: Missed | null;
  over: boolean;
  /** A sentence of the service while it is not complete. */
  notice: string;
  /** Whether the connection was lost since the page was opened. */
  wasAway: boolean;
  /** Whether a caption was ever shown. */
  hasRead: boolean;
}

/** One sentence on how it stands; empty when all is as it should be. */
export function words({ link, missed, over, notice, wasAway, hasRead }: State): string {
  if (over) return 'The session has ended.';
  if (link === 'away') return 'The connection is lost. It is tried again and again…';
  if (link === 'joining') return 'Connecting…';
  return [wasAway ? back(missed, hasRead) : '', notice].filter((part) => part !== '').join(' ');
}

function back(missed: Missed | null, hasRead: boolean): string {
  if (missed === null) return hasRead ? 'Connected again. The next caption tells whether something was missed.' : 'Connected again.';
  if (missed === 'unknown') return 'Connected again. Another worker writes now: what was said in between may be missing.';
  if (missed === 0) return 'Connected again. You missed nothing.';
  return `Connected again. You missed ${missed === 1 ? '1 sentence' : `${missed} sentences`}.`;
}
