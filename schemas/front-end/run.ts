// Listens from a terminal: npm run listen -- wss://HOST/STAGE SESSION LANGUAGE [usual|stable|fast]
import { Listener } from './listener.ts';

const [url, sessionId, targetLanguage, mode = 'usual'] = process.argv.slice(2);
const captionMode = (['usual', 'stable', 'fast'] as const).find((known) => known === mode);
if (url === undefined || sessionId === undefined || targetLanguage === undefined || captionMode === undefined) {
  console.error('usage: npm run listen -- wss://HOST/STAGE SESSION LANGUAGE [usual|stable|fast]');
  process.exit(2);
}

let printed = 0;
let notice = '';
let partial = '';
/** Originals whose translation may still come. */
const originals = new Set<string>();
const listener = new Listener(url, { sessionId, targetLanguage, captionMode }, ({ finals, partials, over, ...now }) => {
  for (const { text, catchUp, degraded, lagMs } of finals.slice(printed)) {
    console.log(`${catchUp ? 'earlier' : `+${(lagMs / 1_000).toFixed(1)} s`}  ${text}${degraded ? '  (not translated)' : ''}`);
  }
  for (const { segmentId, text, degraded } of finals) {
    if (degraded) originals.add(segmentId);
    else if (originals.delete(segmentId)) console.log(`translated after all: ${text}`);
  }
  printed = finals.length;
  if (now.notice !== notice) console.log(`-- ${now.notice || 'all is well again'}`);
  notice = now.notice;
  const newest = [...partials.values()].at(-1)?.text ?? '';
  if (newest !== partial && newest !== '') console.log(`        … ${newest}`);
  partial = newest;
  if (over) console.log('-- the session has ended');
});
listener.open();
