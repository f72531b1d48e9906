import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { eventCatalogue, eventEnvelopeSchema, eventNames } from './events.js';

/** Writes the part of `docs/webhooks.md` between its marks from the schemas of the events. */
const document = readFileSync(fileURLToPath(new URL('../../../docs/webhooks.md', import.meta.url)), 'utf8');

const fieldsOf = (schema: { readonly shape: Readonly<Record<string, { readonly description?: string | undefined }>> }): string =>
  Object.entries(schema.shape)
    .map(([name, { description }]) => `| \`${name}\` | ${description} |`)
    .join('\n');

const sectionOf = (name: (typeof eventNames)[number]): string => {
  const { says, data, mailed, example } = eventCatalogue[name];
  const mail = mailed ? ' Also sent by mail to the notice address.' : '';
  return `### \`${name}\`\n\n${says}${mail}\n\n| field of \`data\` | what |\n|---|---|\n${fieldsOf(data)}\n\n\`\`\`json\n${JSON.stringify(example, null, 2)}\n\`\`\`\n`;
};

describe('docs/webhooks.md', () => {
  it('docs/webhooks.md describes every event as its schema does, and no other', () => {
    const [, written] = /<!-- events -->\n([^]*)<!-- \/events -->/.exec(document) ?? [];
    expect(written?.trim()).toBe(eventNames.map(sectionOf).join('\n').trim());
  });

  it('docs/webhooks.md describes every field of the body', () => {
    expect(document).toContain(fieldsOf(eventEnvelopeSchema));
  });
});

describe('every kind of event', () => {
  it.each(eventNames)('%s: describes each of its fields, and its example has them all', (name) => {
    const { data, example } = eventCatalogue[name];
    expect(data.strict().parse(example)).toEqual(example);
    expect(Object.keys(example).sort()).toEqual(Object.keys(data.shape).sort());
    for (const field of Object.values(data.shape)) expect(field.description).toMatch(/\w/);
  });
});
