import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runCommand } from '../../../test/support/command-run.js';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { serviceUrl } from '../../../test/support/postgres.js';
import { runKt } from './main.js';

/** The commands that look into the books and change them by hand, with the control plane's login alone. */
let money: MoneyDatabase;
let folder: string;

beforeAll(async () => {
  money = await MoneyDatabase.create();
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-kt-'));
});
afterAll(async () => {
  await money.drop();
  rmSync(folder, { recursive: true });
});

const run = async (...words: string[]) => {
  const environment = { CONTROL_DATABASE_URL: serviceUrl(money.database.appUrl, 'control') };
  const { exitCode, out, error } = await runCommand((output) => runKt([...words, '--json'], { environment, workingFolder: folder, callersFolder: folder, output }));
  return { exitCode, answer: out === '' ? null : JSON.parse(out), error: error === '' ? null : JSON.parse(error).error };
};

test('a grant is adjusted and refunded, and the books say what they stood at before', async () => {
  const { organizationId, grantIds } = await money.newTenant('10');
  const change = ['--org', organizationId, '--grant', grantIds[0]!, '--reason', 'test'];
  const [{ now }] = await money.sql<{ now: Date }>('SELECT clock_timestamp() AS now') as [{ now: Date }];
  expect((await run('grants', 'adjust', ...change, '--reference', 'ticket-1', '--amount', '-2.5')).answer).toMatchObject({ granted: '7.5', available: '7.5' });
  expect((await run('grants', 'adjust', ...change, '--reference', 'ticket-2', '--amount', '-8'))).toMatchObject({ exitCode: 1, error: { code: 'grant_below_floor' } });
  expect((await run('grants', 'refund', ...change, '--reference', 'ticket-3')).answer).toEqual({ grantId: grantIds[0], reference: 'ticket-3', status: 'refunded', refunded: '7.5' });
  expect((await run('ledger', 'balances', '--org', organizationId)).answer).toEqual([
    { account: 'cash_clearing', unit: 'USD', balance: '2.5' },
    { account: 'grant_liability', unit: 'USD', balance: '0' },
    { account: 'manual_adjustment', unit: 'USD', balance: '-2.5' },
  ]);
  expect((await run('ledger', 'balances', '--org', organizationId, '--at', now.toISOString())).answer).toEqual([
    { account: 'cash_clearing', unit: 'USD', balance: '10' },
    { account: 'grant_liability', unit: 'USD', balance: '-10' },
  ]);
});

test('a grant is issued against an account, refunded in parts and transferred inside its tree', async () => {
  const child = (await money.newTenant()).organizationId;
  const { organizationId } = await money.newTenant();
  await money.sql('UPDATE organization SET account_root_id = $1 WHERE id = $2', [organizationId, child]);
  const issue = ['grants', 'issue', '--org', organizationId, '--amount', '10', '--source', 'package', '--reference', 'order-1'];
  expect(await run(...issue, '--against', 'promotion_expense')).toMatchObject({ exitCode: 1, error: { code: 'account_not_allowed' } });
  const { id } = (await run(...issue, '--against', 'stripe_clearing')).answer;
  const change = ['--org', organizationId, '--grant', id, '--reason', 'test'];

  const session = await money.newSession();
  const { leaseId } = (await money.take(session, { need: '8' })).leases[0]!;
  const refund = ['grants', 'refund', ...change, '--reference', 'ticket-1', '--amount', '3'];
  expect((await run(...refund)).answer).toMatchObject({ status: 'waiting', asked: '3', refunded: '2' });
  await money.giveBack(session, { lease: leaseId, keep: '0', close: true });
  expect((await run(...refund)).answer).toMatchObject({ status: 'refunded', asked: '3', refunded: '3' });

  const transfer = ['grants', 'transfer', ...change, '--to', child, '--amount', '4', '--reference', 'memo-1'];
  const { answer } = await run(...transfer);
  expect(answer).toMatchObject({ grantId: id, amount: '4', toOrganizationId: child });
  expect((await run(...transfer)).answer).toEqual(answer);
  expect((await run('grants', 'list', '--org', child)).answer).toEqual([expect.objectContaining({ id: answer.toGrantId, source: 'transfer', available: '4' })]);
  expect((await run('grants', 'transfer', ...change, '--to', 'nobody', '--amount', '4', '--reference', 'memo-2')).exitCode).toBe(1);
  expect((await run('ledger', 'balances', '--org', organizationId)).answer).toEqual([
    { account: 'grant_liability', unit: 'USD', balance: '-3' },
    { account: 'stripe_clearing', unit: 'USD', balance: '7' },
    { account: 'transfer_clearing', unit: 'USD', balance: '-4' },
  ]);
  expect((await run('ledger', 'accounts')).answer).toContainEqual(expect.objectContaining({ name: 'transfer_clearing', kind: 'clearing', normalSide: 'debit' }));
});

describe('quarantine', () => {
  test('is listed, shown, repaired, replayed and discarded', async () => {
    const { organizationId, grantIds } = await money.newTenant('10');
    const session = await money.newSession();
    const row = money.usageRow({ charge: 4 }) as { id: string };
    await money.quarantine(session, row.id, 'settle:22P05', `${JSON.stringify(row)}broken`);
    await money.quarantine(session, row.id, 'vendor_usage', 'garbage');
    expect((await run('quarantine', 'list', '--org', organizationId)).answer).toHaveLength(2);
    expect((await run('quarantine', 'show', row.id)).error).toMatchObject({ code: 'quarantine_not_found', message: expect.stringContaining('--reason') });
    expect((await run('quarantine', 'show', row.id, '--reason', 'vendor_usage')).answer).toMatchObject({ status: 'open', raw: 'garbage' });
    expect((await run('quarantine', 'discard', row.id, '--reason', 'vendor_usage', '--note', 'told them')).answer).toMatchObject({ status: 'discarded' });

    const which = [row.id, '--reason', 'settle:22P05', '--note', 'test'];
    expect((await run('quarantine', 'replay', ...which))).toMatchObject({ exitCode: 1, error: { code: 'quarantine_unfit' } });
    writeFileSync(join(folder, 'row.json'), JSON.stringify(row));
    expect((await run('quarantine', 'repair', ...which, '--file', 'row.json')).answer).toMatchObject({ status: 'repaired' });
    expect((await run('quarantine', 'replay', ...which)).answer).toMatchObject({ status: 'replayed', result: { rows: 1, charged: '4' } });
    expect((await run('quarantine', 'replay', ...which)).error).toMatchObject({ code: 'quarantine_ended' });
    expect(await money.grant(grantIds[0]!)).toMatchObject({ available: '6', settled: '4' });
    expect((await run('quarantine', 'list', '--org', organizationId)).answer).toEqual([]);
    expect((await run('quarantine', 'list', '--org', organizationId, '--all')).answer).toHaveLength(2);
  });
});

test('a ledger that somebody changed is named, and the exit code says so', async () => {
  await money.newTenant('10');
  expect((await run('ledger', 'verify'))).toMatchObject({ exitCode: 0, answer: { balanced: true, unbroken: true, breaks: [] } });
  await money.sql("ALTER TABLE ledger_transaction DISABLE TRIGGER ledger_transaction_is_final; UPDATE ledger_transaction SET kind = 'gift' WHERE organization_id = '" + money.tenant.organizationId + "'");
  const { exitCode, answer, error } = await run('ledger', 'verify');
  expect({ exitCode, answer, error }).toMatchObject({
    exitCode: 1,
    answer: { balanced: true, unbroken: false, breaks: [{ organizationId: money.tenant.organizationId, position: '1', problem: 'changed' }] },
    error: { code: 'ledger_changed' },
  });
});
