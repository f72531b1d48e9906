import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { expectLogsAgree } from '../support/invariants-logs.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** Postgres says no to a settlement: what passes by itself is executed again, what never will leaves alone. */

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;
/** Answers that were served and could never be stored. */
let poison = 0;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['100'] });
  // A sequence counts on where a transaction is rolled back, so a fault can pass after some executions.
  await cluster.sql(`
    CREATE TABLE fault (sql_state text, failures integer, end_user text);
    CREATE SEQUENCE fault_execution;
    CREATE FUNCTION fail_settlement() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE f fault;
    BEGIN
      FOR f IN SELECT * FROM fault LOOP
        IF (f.end_user IS NULL OR f.end_user = NEW.end_user) AND nextval('fault_execution') <= f.failures THEN
          RAISE EXCEPTION 'a fault of the test' USING ERRCODE = f.sql_state, CONSTRAINT = 'of_the_test';
        END IF;
      END LOOP;
      RETURN NEW;
    END $$;
    CREATE TRIGGER fail_settlement BEFORE INSERT ON usage FOR EACH ROW EXECUTE FUNCTION fail_settlement()`);
});
beforeEach(() => {
  client = new ClientLog();
});
afterEach(async () => {
  await cluster.sql('DELETE FROM fault');
  await client.close();
});
afterAll(async () => {
  await cluster?.stop();
  await vendor?.close();
});

const failSettlements = async (sqlState: string, failures: number, endUser: string | null = null): Promise<void> => {
  await cluster.sql("SELECT setval('fault_execution', 1, false)");
  await cluster.sql('INSERT INTO fault VALUES ($1, $2, $3)', [sqlState, failures, endUser]);
};
const ask = (stream: boolean, user?: string): Promise<ClientLogEntry> =>
  client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey: cluster.apiKey, stream, ...(user ? { body: { user } } : {}) });

describe('a settlement', () => {
  it.each([
    ['a deadlock', '40P01'],
    ['a serialization failure', '40001'],
    ['a statement that was cancelled', '57014'],
    ['a full disk', '53100'],
    ['an error of the system', '58030'],
  ])('is executed again whole after %s, and counts once', async (_, sqlState) => {
    await failSettlements(sqlState, 4);
    const entries = await Promise.all(Array.from({ length: 12 }, (__, index) => ask(index % 2 === 0)));
    expect(entries.map(({ completed }) => completed)).toEqual(entries.map(() => true));
    const [execution] = await cluster.sql<{ executions: string }>('SELECT last_value::text AS executions FROM fault_execution');
    expect(Number(execution!.executions)).toBeGreaterThan(4);
    await cluster.expectSettled();
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() });
  });

  it.each(['22003', '23514'])('that can never be stored (%s) leaves by itself: its answer ends in an error, the others are untouched', async (sqlState) => {
    await failSettlements(sqlState, 1_000_000, 'poison');
    const before = vendor.log().length;
    const entries = await Promise.all(Array.from({ length: 16 }, (_, index) => ask(index % 2 === 0, index === 5 || index === 8 ? 'poison' : `user-${index}`)));
    const poisoned = [entries[5]!, entries[8]!];
    for (const entry of poisoned) expect(entry).toMatchObject({ completed: false, errorCode: 'settlement_failed', finishReasons: [] });
    expect(entries.filter((entry) => !poisoned.includes(entry) && !entry.completed)).toEqual([]);
    const quarantined = await until('both are in quarantine', async () => {
      const rows = await cluster.sql<{ id: string; raw: Buffer }>('SELECT id, raw FROM usage_quarantine WHERE id = ANY ($1)', [poisoned.map(({ requestId }) => requestId)]);
      return rows.length === 2 && rows;
    });
    for (const { id, raw } of quarantined) expect(raw.toString()).toContain(id);
    expect(await cluster.sql('SELECT 1 FROM usage WHERE id = ANY ($1)', [poisoned.map(({ requestId }) => requestId)])).toEqual([]);
    expect(vendor.log().length - before).toBe(16);
    await cluster.expectSettled({ quarantineExpected: true });
    poison += 2;
    await expectLogsAgree(cluster.ownerUrl, { client: client.entries, vendor: vendor.log() }, { vendorOnlyMax: poison });
  });

  it('of poison holds nothing back: what it held is free again', async () => {
    const [grant] = await cluster.sql<{ leased: string }>('SELECT leased FROM credit_grant');
    expect(Number(grant!.leased)).toBeGreaterThanOrEqual(0);
    const answer = await fetch(`${cluster.gatewayUrls[0]}/credits`, { headers: { authorization: `Bearer ${cluster.apiKey}` } });
    const { data } = (await answer.json()) as { data: { held: string }[] };
    expect(data[0]!.held).toBe('0');
  });
});
