// Whether a list of captions follows the speech, or stands still for somebody who reads back.

export interface Follow {
  /** The newest caption is kept in sight. */
  following: boolean;
  /** Somebody asked it to stand still, so reaching the end does not set it off again. */
  held: boolean;
  /** Finals that came since it stands still. */
  fresh: number;
}

export type Moved = { scrolled: 'atEnd' | 'away' } | { pressed: 'pause' | 'follow' } | { came: number };

export const FOLLOWING: Follow = { following: true, held: false, fresh: 0 };

export function follow(now: Follow, moved: Moved): Follow {
  if ('pressed' in moved) return moved.pressed === 'pause' ? { ...now, following: false, held: true } : FOLLOWING;
  if ('came' in moved) return now.following ? now : { ...now, fresh: now.fresh + moved.came };
  if (moved.scrolled === 'away') return { ...now, following: false };
  return now.held ? now : FOLLOWING;
}

/** The words of the button that leads back to the speech; empty while there is nothing to lead to. */
export function label({ following, fresh }: Follow): string {
  if (following) return '';
  if (fresh === 0) return 'Go on following';
  return fresh === 1 ? '1 new caption' : `${fresh} new captions`;
}
