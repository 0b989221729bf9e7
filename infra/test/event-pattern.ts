// EventBridge's patterns as Lambda's filters use them, as far as ours go; an operator that is not known is refused, not taken for a miss.

type Json = unknown;

/** Whether an event passes a pattern: every field of the pattern must match; of the alternatives of a field, one. */
export function passes(pattern: Readonly<Record<string, Json>>, event: Json): boolean {
  return Object.entries(pattern).every(([key, expected]) => {
    const found = typeof event === 'object' && event !== null ? (event as Record<string, Json>)[key] : undefined;
    if (Array.isArray(expected)) return expected.some((condition: Json) => holds(condition, found));
    return passes(expected as Record<string, Json>, found);
  });
}

function holds(condition: Json, found: Json): boolean {
  if (typeof condition !== 'object' || condition === null) return found === condition;
  const [[name, operand] = ['', undefined], ...more] = Object.entries(condition);
  if (more.length > 0) throw new Error(`${JSON.stringify(condition)} is not imitated`);
  switch (name) {
    // On a leaf only, as EventBridge has it: an object is no leaf.
    case 'exists': return (found !== undefined && typeof found !== 'object') === operand;
    case 'prefix': return typeof found === 'string' && found.startsWith(String(operand));
    case 'anything-but': return found !== undefined && !(operand as Json[]).includes(found);
    default: throw new Error(`${JSON.stringify(condition)} is not imitated`);
  }
}
