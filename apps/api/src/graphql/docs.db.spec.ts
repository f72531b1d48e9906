import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiWorld } from '../../../../test/support/api-world.js';
import { operationLimits } from './server/limits.js';

const text = readFileSync(fileURLToPath(new URL('../../../../docs/graphql.md', import.meta.url)), 'utf8');

/** Each example of the page: its heading, operation and variables. */
const examples = [...text.matchAll(/^## (.+)\n[\s\S]*?```graphql\n([\s\S]*?)```\s*```json\n([\s\S]*?)```/gm)].map(([, title, query, variables]) => [title!, query!, variables!] as const);

let world: ApiWorld;
beforeAll(async () => {
  world = await ApiWorld.create();
});
afterAll(async () => {
  await world.drop();
});

describe('docs/graphql.md', () => {
  it('has examples', () => {
    expect(examples.length).toBeGreaterThanOrEqual(5);
  });

  it.each(examples)('shows an operation that works: %s', async (_, query, variables) => {
    const { own } = world.organizations;
    const filled = JSON.parse(variables.replace('"PROJECT"', JSON.stringify(own.projectId)).replace('"ORGANIZATION"', JSON.stringify(own.globalId))) as object;
    // Subscriptions have a socket of their own; here the text is validated and answered as one that HTTP does not take.
    const { status, body } = await world.api.send(world.person('owner'), { query, variables: filled });
    if (query.startsWith('subscription')) return expect(body['errors']).toEqual([expect.objectContaining({ message: expect.stringMatching(/subscription/i) })]);
    expect({ status, errors: body['errors'] }).toEqual({ status: 200, errors: undefined });
    expect(JSON.stringify(body['data'])).not.toMatch(/"organization":null|"__typename":"(?!CreatedApiKey|Project|Request)/);
  });

  it('names the limits that the server has', () => {
    const { depthMax, aliasesMax, directivesMax, tokensMax, costMax, bodyBytesMax } = operationLimits;
    for (const row of [`| body | ${bodyBytesMax / 1_024} KiB |`, `| tokens of the text | ${tokensMax.toLocaleString('en')} |`, `| fields within fields | ${depthMax} |`, `| aliases | ${aliasesMax} |`, `| directives | ${directivesMax} |`, `around it | ${costMax.toLocaleString('en')} |`]) {
      expect(text).toContain(row);
    }
  });
});
