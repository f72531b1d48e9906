import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ClientLog, type ClientLogEntry } from '../support/client-log.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { seedBuyer, type Buyer } from '../support/limits.js';
import { until } from '../support/until.js';
import { startVendor, type Vendor } from '../support/vendor.js';

/** A gateway that can store nothing would give every answer away: it stops admitting, says so, and goes on by itself. */

let vendor: Vendor;
let cluster: Cluster;
let client: ClientLog;

beforeAll(async () => {
  vendor = await startVendor();
  cluster = await startCluster({ models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['100'] });
  await cluster.sql(`
    CREATE TABLE fault (sql_state text, organization_id uuid);
    CREATE FUNCTION fail_settlement() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE f fault;
    BEGIN
      FOR f IN SELECT * FROM fault WHERE organization_id IS NULL OR organization_id = NEW.organization_id LOOP
        RAISE EXCEPTION 'a fault of the test' USING ERRCODE = f.sql_state, CONSTRAINT = 'of_the_test';
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

const ask = (apiKey = cluster.apiKey): Promise<ClientLogEntry> => client.chat({ baseUrl: cluster.gatewayUrls[0]!, apiKey });
const keyOf = (buyer: Buyer): string => buyer.keys[0]!.key;

interface Readiness {
  checks: Record<string, { ok: boolean; message?: string }>;
}
const settlementCheck = async (): Promise<{ ok: boolean; message?: string }> => {
  const answer = await fetch(`${cluster.gateways[0]!.url}/readyz`);
  return ((await answer.json()) as Readiness).checks['settlement']!;
};
const recover = async (apiKey?: string): Promise<void> => {
  await cluster.sql('DELETE FROM fault');
  await until('an answer is settled again', async () => (await ask(apiKey)).completed);
  await until('the gateway is ready', async () => (await settlementCheck()).ok);
};

describe.each([
  ['is refused by Postgres', '22003'],
  ['cannot be executed', '42501'],
])('a gateway of which every settlement %s', (_, sqlState) => {
  it('stops admitting, says why, and goes on by itself when one is stored', async () => {
    await cluster.sql('INSERT INTO fault VALUES ($1)', [sqlState]);
    const served: Promise<ClientLogEntry>[] = [];
    const refused = await until('a request is refused', async () => {
      // Where a settlement is executed again and again its answer waits for it.
      const asked = ask();
      const entry = await Promise.race([asked, new Promise<null>((resolve) => setTimeout(resolve, 1_000, null))]);
      if (entry === null || entry.status === 200 || entry.errorCode === 'settlement_failed') served.push(asked);
      return entry?.errorCode === 'service_unavailable' && entry;
    });
    expect(refused.status).toBe(503);
    expect(served.length).toBeLessThanOrEqual(12);
    const before = vendor.log().length;
    const { message } = await until('readiness says why', async () => {
      const check = await settlementCheck();
      return !check.ok && check;
    });
    expect(message).toMatch(/nothing is admitted/);
    expect(vendor.log().length).toBe(before);
    await recover();
    await Promise.all(served);
    expect((await Promise.all(Array.from({ length: 10 }, () => ask()))).every(({ completed }) => completed)).toBe(true);
    await cluster.expectSettled({ quarantineExpected: true });
  });

  it('refuses requests of everybody, and none of what it refused is dispatched', async () => {
    const others = await Promise.all([seedBuyer(cluster), seedBuyer(cluster), seedBuyer(cluster)]);
    await cluster.sql('INSERT INTO fault VALUES ($1)', [sqlState]);
    const waiting: Promise<ClientLogEntry>[] = [];
    await until('the gateway is not ready', async () => {
      waiting.push(...others.map((buyer) => ask(keyOf(buyer))));
      await Promise.race([Promise.all(waiting), new Promise((resolve) => setTimeout(resolve, 1_000))]);
      return !(await settlementCheck()).ok;
    });
    await recover(keyOf(others[0]!));
    await Promise.all(waiting);
    await cluster.expectSettled({ quarantineExpected: true });
  });
});

describe('a customer whose settlements alone fail', () => {
  it('is refused, while others are served and the gateway is ready', async () => {
    const poison = await seedBuyer(cluster);
    const other = await seedBuyer(cluster);
    expect(await ask(keyOf(other))).toMatchObject({ completed: true });
    await cluster.sql('INSERT INTO fault VALUES ($1, $2)', ['22003', poison.organizationId]);
    let given = 0;
    await until('it is refused', async () => {
      const { errorCode } = await ask(keyOf(poison));
      if (errorCode === 'settlement_failed') given += 1;
      return errorCode === 'service_unavailable';
    });
    expect(given).toBe(5);
    for (let round = 0; round < 5; round += 1) {
      expect(await ask(keyOf(other))).toMatchObject({ completed: true });
      expect(await settlementCheck()).toMatchObject({ ok: true });
    }
    await recover(keyOf(poison));
    await cluster.expectSettled({ quarantineExpected: true });
  });
});
