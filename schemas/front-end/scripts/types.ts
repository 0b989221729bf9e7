// The TypeScript types of the contract, generated from ../json/asyncapi.json and never edited.
import { readFileSync } from 'node:fs';
import { compile, type JSONSchema } from 'json-schema-to-typescript';

/** The generated file, beside package.json. */
export const FILE = new URL('../messages.ts', import.meta.url);

const DOCUMENT = new URL('../../json/asyncapi.json', import.meta.url);
const BANNER = '// Generated from ../json/asyncapi.json by `npm run generate`; do not edit.';

interface Operation {
  readonly messages: readonly { readonly $ref: string }[];
}

/** The document with the file's own references: what a schema compiler reads. */
export async function types(): Promise<string> {
  const text = readFileSync(DOCUMENT, 'utf8').replaceAll('#/components/schemas/', '#/definitions/');
  const { components, operations } = JSON.parse(text) as {
    components: { schemas: Record<string, JSONSchema> };
    operations: { read: Operation; tell: Operation; warn: Operation };
  };
  const union = (operation: Operation, description: string): JSONSchema => ({
    description,
    oneOf: operation.messages.map(({ $ref }) => ({ $ref: $ref.replace(/.*\//, '#/definitions/') })),
  });
  const root: JSONSchema = {
    title: 'Contract',
    description: 'Both directions.',
    type: 'object',
    additionalProperties: false,
    required: ['in', 'out', 'speaker'],
    properties: { in: { $ref: '#/definitions/Incoming' }, out: { $ref: '#/definitions/Outgoing' }, speaker: { $ref: '#/definitions/IncomingSpeaker' } },
    definitions: {
      ...components.schemas,
      Incoming: union(operations.read, "What a listener's application gets."),
      Outgoing: union(operations.tell, "What a listener's application sends."),
      IncomingSpeaker: union(operations.warn, "What the speaker's application gets."),
    },
  };
  // Fields may be added to messages at any time: a type that lists them all, and nothing else, is what the code reads.
  const options = { additionalProperties: false, bannerComment: BANNER, style: { singleQuote: true, printWidth: 140 } };
  return compile(root, 'Contract', options);
}
