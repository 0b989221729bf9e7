// Listens from a terminal: npm run listen -- wss://HOST/STAGE SESSION LANGUAGE
import { Listener } from './listener.ts';

const [url, sessionId, targetLanguage] = process.argv.slice(2);
if (url === undefined || sessionId === undefined || targetLanguage === undefined) {
  console.error('usage: npm run listen -- wss://HOST/STAGE SESSION LANGUAGE');
  process.exit(2);
}

let printed = 0;
let notice = '';
let partial = '';
const listener = new Listener(url, { sessionId, targetLanguage }, ({ finals, partials, over, ...now }) => {
  for (const { text, catchUp, degraded, lagMs } of finals.slice(printed)) {
    console.log(`${catchUp ? 'earlier' : `+${(lagMs / 1_000).toFixed(1)} s`}  ${text}${degraded ? '  (not translated)' : ''}`);
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
