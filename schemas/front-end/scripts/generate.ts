// Writes messages.ts anew: `npm run generate`.
import { writeFileSync } from 'node:fs';
import { FILE, types } from './types.ts';

writeFileSync(FILE, await types());
