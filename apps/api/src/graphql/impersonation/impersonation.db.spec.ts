import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiWorld } from '../../../../../test/support/api-world.js';

/** The session that the test's api says every request has. */
const sessionId = '00000000-0000-7000-8000-000000000000';

let world: ApiWorld;
beforeAll(async () => {
  world = await ApiWorld.create();
  await sql("INSERT INTO sign_in_session (id, person_id, token, expires_at) VALUES ($1, $2, 'a-token', kt_now() + interval '1 hour')", [sessionId, world.person('support').id]);
});
afterEach(() => sql('DROP TRIGGER IF EXISTS fails ON audit_entry; DROP TRIGGER IF EXISTS fails ON sign_in_session'));
afterAll(async () => {
  await world.drop();
});

const sql = <Row extends object>(text: string, values: unknown[] = []): Promise<Row[]> => world.usage.money.sql<Row>(text, values);
const start = () =>
  world.api.query(world.person('support'), 'mutation ($input: StartImpersonationInput!) { startImpersonation(input: $input) { __typename } }', {
    input: { organizationId: world.organizations.foreign.globalId, reason: 'ticket 7' },
  });
const end = () =>
  world.api.query(world.person('support', { impersonating: world.organizations.foreign.id }), 'mutation { endImpersonation { __typename } }');
const impersonating = async (): Promise<string | null> => (await sql<{ impersonating: string | null }>('SELECT impersonating FROM sign_in_session WHERE id = $1', [sessionId]))[0]!.impersonating;
const entries = async (): Promise<string[]> => (await sql<{ action: string }>("SELECT action FROM audit_entry WHERE action LIKE 'impersonation.%' AND action <> 'impersonation.read' ORDER BY seq")).map(({ action }) => action);

/** From here on a write to the table fails, after its row is there or at the transaction's end. */
const plantFailure = async (table: string, when: 'at once' | 'at commit'): Promise<void> => {
  await sql("CREATE OR REPLACE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''planted''; END'");
  await sql(`CREATE ${when === 'at once' ? 'TRIGGER fails AFTER INSERT OR UPDATE' : 'CONSTRAINT TRIGGER fails AFTER INSERT OR UPDATE'} ON ${table} ${when === 'at once' ? '' : 'DEFERRABLE INITIALLY DEFERRED'} FOR EACH ROW EXECUTE FUNCTION fails()`);
};

describe('an impersonation', () => {
  it.each([
    ['audit_entry', 'at once'],
    ['audit_entry', 'at commit'],
    ['sign_in_session', 'at once'],
    ['sign_in_session', 'at commit'],
  ] as const)('begins neither in the session nor in the audit log where the write of %s fails %s', async (table, when) => {
    await plantFailure(table, when);
    expect((await start())['errors']).toBeDefined();
    expect([await impersonating(), await entries()]).toEqual([null, []]);
  });

  it('begins and ends with an entry each', async () => {
    expect(await start()).toEqual({ data: { startImpersonation: { __typename: 'Done' } } });
    expect([await impersonating(), await entries()]).toEqual([world.organizations.foreign.id, ['impersonation.start']]);
    await plantFailure('audit_entry', 'at once');
    expect((await end())['errors']).toBeDefined();
    expect([await impersonating(), await entries()]).toEqual([world.organizations.foreign.id, ['impersonation.start']]);
    await sql('DROP TRIGGER fails ON audit_entry');
    expect(await end()).toEqual({ data: { endImpersonation: { __typename: 'Done' } } });
    expect([await impersonating(), await entries()]).toEqual([null, ['impersonation.start', 'impersonation.end']]);
  });
});
