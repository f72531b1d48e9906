import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventCatalogue, type EventName } from '@kilotoken/contracts';
import { createControlClient, type ControlClient } from '@kilotoken/platform/prisma';
import { EventsDatabase } from '../../../test/support/events-database.js';
import { testActor } from '../../../test/support/test-actor.js';
import { createApiKey, revokeApiKey, rollApiKey } from './api-key.flow.js';

let events: EventsDatabase;
let prisma: ControlClient;
beforeAll(async () => {
  events = await EventsDatabase.create();
  prisma = createControlClient(events.money.database.ownerUrl, testActor, { applicationName: 'test' });
});
afterAll(async () => {
  await prisma.$disconnect();
  await events.drop();
});

/** What was told, each as its schema says; in the order of telling. */
const told = async (organizationId: string): Promise<[string, Record<string, unknown>][]> =>
  (await events.events(organizationId)).map(({ kind, payload }) => [kind, eventCatalogue[kind as EventName].data.strict().parse(payload)]);

describe('a key', () => {
  it('tells that it was made, that another took its place, and that it was revoked, each once and never itself', async () => {
    const organizationId = await events.newTenant();
    const { projectId } = events.money.tenant;
    const first = await createApiKey(prisma, { organizationId, projectId, name: 'server' });
    const second = await rollApiKey(prisma, { organizationId, id: first.id, overlapMs: 0 });
    await revokeApiKey(prisma, { organizationId, id: second.id });
    await revokeApiKey(prisma, { organizationId, id: second.id });
    const all = await told(organizationId);
    expect(all.map(([kind, data]) => [kind, data['key_id'] ?? data['new_key_id']])).toEqual([
      ['key.created', first.id],
      ['key.revoked', first.id],
      ['key.created', second.id],
      ['key.rolled', second.id],
      ['key.revoked', second.id],
    ]);
    for (const { key } of [first, second]) expect(JSON.stringify(all)).not.toContain(key.slice(12));
  });

  it('that was replaced with an overlap ends when it is over', async () => {
    const organizationId = await events.newTenant();
    const first = await createApiKey(prisma, { organizationId, projectId: events.money.tenant.projectId, name: 'server' });
    await rollApiKey(prisma, { organizationId, id: first.id, overlapMs: 3_600_000 });
    const rolled = (await told(organizationId)).find(([kind]) => kind === 'key.rolled')![1];
    const [row] = await events.money.sql<{ endsAt: Date }>('SELECT expires_at AS "endsAt" FROM api_key WHERE id = $1', [first.id]);
    expect(rolled).toMatchObject({ old_key_id: first.id, old_key_ends_at: row!.endsAt.toISOString() });
  });
});
