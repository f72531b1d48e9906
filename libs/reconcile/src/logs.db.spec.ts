import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MoneyDatabase } from '../../../test/support/money-database.js';
import { describeFinding, type ReconcileReport } from './reconcile.js';
import { runReconcile, type ReconcileOptions } from './reconcile.flow.js';

/** I10: three logs of the same requests. Each disagreement is planted in one of them. */
let money: MoneyDatabase;
let folder: string;
let completed: string;
let interrupted: string;
let open: string;
let client: object[];
let vendor: object[];

beforeAll(async () => {
  money = await MoneyDatabase.create();
});
afterAll(() => money.drop());

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-reconcile-'));
  const { grantIds } = await money.newTenant('100');
  const session = await money.newSession();
  const lease = (await money.take(session, { need: '20' })).leases[0]!.leaseId;
  const allocations = (amount: string) => [{ lease, grant: grantIds[0]!, amount }];
  [completed, interrupted, open] = [money.mintId(), money.mintId(), money.mintId()];
  await money.settle(session, 1,
    { id: completed, charge: 3, counts: { input: 3 }, allocations: allocations('3') },
    { id: interrupted, charge: 2, counts: { input: 2 }, outcome: 'client_closed', allocations: allocations('2') });
  await money.checkpoint(session, { id: open, charge: 1, allocations: allocations('1') });
  client = [
    { requestId: completed, status: 200, completed: true, usage: { prompt_tokens: 3, completion_tokens: 0 }, cost: '3', charge: null, further: 'ignored' },
    { requestId: interrupted, status: 200, completed: false, aborted: true },
    { requestId: null, status: null, completed: false },
  ];
  const served = { status: 200, complete: true, tokens: 0 };
  vendor = [
    { ...served, id: `of ${completed}`, requestId: completed, promptTokens: 3, usage: { prompt_tokens: 3, completion_tokens: 0 } },
    { ...served, id: `of ${interrupted}`, requestId: interrupted, promptTokens: 2, tokens: 5, complete: false, usage: null },
    { ...served, id: `of ${open}`, requestId: open, promptTokens: 1, complete: false, tokens: 1 },
  ];
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, entries: readonly object[]): string => {
  const file = join(folder, name);
  writeFileSync(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  return file;
};

const compare = async (options: ReconcileOptions = {}): Promise<ReconcileReport> => {
  const [{ slug }] = (await money.sql<{ slug: string }>('SELECT slug FROM organization WHERE id = $1', [money.tenant.organizationId])) as [{ slug: string }];
  return runReconcile(money.owner, { organization: slug, clientLogs: [write('client.jsonl', client)], vendorLogs: [write('vendor.jsonl', vendor)], ...options });
};

const linesOf = ({ checks }: ReconcileReport): Record<string, string> =>
  Object.fromEntries(checks.filter(({ found }) => found > 0).map((check) => [check.name, check.findings.map((finding) => describeFinding(check, finding)).join('\n')]));

it('logs that agree are found to agree, and what still runs is nobody’s loss', async () => {
  const report = await compare();
  expect(linesOf(report)).toEqual({});
  expect(report.logs).toEqual({ clientEntries: 3, vendorEntries: 3, tooRecent: 0, estimated: 0, vendorOnly: { entries: 0, promptTokens: '0', outputTokens: '0', first: [] } });
  const checked = Object.fromEntries(report.checks.map(({ name, checked: rows }) => [name, rows]));
  expect(checked).toMatchObject({ 'client-completed': 1, 'client-refused': 0, 'vendor-served': 2 });
});

const told = (charges: { unit: string; amount: string }[]) => ({ prompt_tokens: 3, completion_tokens: 0, cost: 3, kilotoken: { charges } });

describe('a client’s log', () => {
  it.each<[string, object]>([
    ['a number, as it comes', { cost: 3 }],
    ['the usage as it comes', { cost: undefined, usage: told([{ unit: 'USD', amount: '3' }]) }],
    ['text', { cost: '3.0' }],
  ])('with the cost as %s agrees', async (_, change) => {
    client[0] = { ...client[0], ...change };
    expect(linesOf(await compare())).toEqual({});
  });

  it.each([
    ['other counts', () => ({ usage: { prompt_tokens: 4, completion_tokens: 0 } }), ['expected 4 + 0 tokens, 3', 'found 3 + 0 tokens, 3']],
    ['another cost', () => ({ cost: '2.5' }), ['2.5', 'found 3 + 0 tokens, 3']],
    ['another cost as a number', () => ({ cost: 2.9999999999999996 }), ['2.9999999999999996', 'found 3 + 0 tokens, 3']],
    ['another cost in its usage', () => ({ cost: null, usage: { prompt_tokens: 3, completion_tokens: 0, cost: 4 } }), ['expected 3 + 0 tokens, 4']],
    ['other exact charges in its usage', () => ({ cost: 3, usage: told([{ unit: 'USD', amount: '3.000000000001' }]) }), ['3.000000000001']],
    ['a charge in another unit besides', () => ({ cost: 3, usage: told([{ unit: 'USD', amount: '3' }, { unit: 'qwen-pack', amount: '1' }]) }), ['expected 3 + 0 tokens, 3']],
    ['another charge', () => ({ charge: '3.000000000001' }), ['3.000000000001']],
    ['a request that nobody billed', () => ({ requestId: money.mintId() }), ['no completed usage row']],
    ['a completed answer that was billed as interrupted', () => ({ requestId: interrupted }), ['no completed usage row']],
  ])('with %s is found', async (_, change, names) => {
    client[0] = { ...client[0], ...change() };
    const lines = linesOf(await compare());
    expect(Object.keys(lines)).toEqual(['client-completed']);
    for (const name of [...names, 'client.jsonl', 'line 1']) expect(lines['client-completed']).toContain(name);
  });

  it('of a refusal that was charged is found', async () => {
    client[1] = { requestId: interrupted, status: 502, completed: false, errorCode: 'upstream_failed' };
    expect(linesOf(await compare())).toEqual({ 'client-refused': expect.stringContaining('found 2 (the charge)') });
    client[1] = { requestId: interrupted, status: 500, completed: false, errorCode: 'settlement_failed' };
    expect(linesOf(await compare())).toEqual({});
  });
});

describe('a vendor’s log', () => {
  it('that told something else of a completed answer is found', async () => {
    vendor[0] = { ...vendor[0], usage: { prompt_tokens: 3, completion_tokens: 1 } };
    expect(linesOf(await compare())).toEqual({ 'vendor-served': expect.stringContaining('expected 3 + 1 tokens') });
  });

  it('that served less than was billed of an interrupted answer is found; more is the customer’s luck', async () => {
    vendor[1] = { ...vendor[1], promptTokens: 1 };
    expect(linesOf(await compare())).toEqual({ 'vendor-served': expect.stringContaining('expected at most 1 + 5 tokens') });
    vendor[1] = { ...vendor[1], promptTokens: 10 };
    expect(linesOf(await compare())).toEqual({});
  });

  it('without a line is found once it must be there, and is too recent before', async () => {
    vendor.splice(0, 1);
    expect((await compare()).logs).toMatchObject({ tooRecent: 1 });
    await money.shiftClock('1 minute');
    expect(linesOf(await compare())).toEqual({ 'vendor-served': expect.stringContaining('expected a line for it') });
    await money.shiftClock('0');
  });

  it('of an answer that no usage row knows of is our cost, and no finding', async () => {
    const lost = money.mintId();
    vendor.push({ id: 'lost', requestId: lost, status: 200, complete: true, promptTokens: 7, tokens: 9 }, { id: 'failed', requestId: lost, status: 500, complete: false, promptTokens: 7, tokens: 0 });
    const report = await compare();
    expect(report.holds).toBe(true);
    expect(report.logs!.vendorOnly).toMatchObject({ entries: 1, promptTokens: '7', outputTokens: '9', first: [{ place: { upstream: 'lost', request: lost, line: 4 } }] });
  });

  it('is compared with estimated rows as a class of their own: who paid too much, who too little, and by how much', async () => {
    // Tokens of output cost as much as those of input.
    await money.sql("INSERT INTO rate (price_version_id, token_class, amount, per) SELECT price_version_id, 'output', amount, per FROM rate WHERE token_class = 'input' ON CONFLICT DO NOTHING");
    const { grantIds } = await money.newTenant('100');
    const session = await money.newSession();
    const lease = (await money.take(session, { need: '60' })).leases[0]!.leaseId;
    const rows = [
      { served: [3, 4], charge: 5, counts: { input: 2, output: 3 }, outcome: 'client_closed' },
      { served: [40, 9], charge: 4, counts: { input: 4 }, outcome: 'client_closed', hold: '30' },
      { served: [1, 0], charge: 6, counts: { input: 5, output: 1 }, outcome: 'completed' },
      { served: [2, 2], charge: 4, counts: { input: 3, output: 1 }, outcome: 'completed' },
    ].map((row) => ({ ...row, id: money.mintId() }));
    await money.settle(session, 1, ...rows.map(({ served: _, ...row }) => ({ ...row, estimated: true, allocations: [{ lease, grant: grantIds[0]!, amount: String(row.charge) }] })));
    vendor = rows.map(({ id, served: [promptTokens, tokens] }, index) => ({
      id: `of ${id}`, requestId: id, status: 200, complete: false, promptTokens, tokens,
      // What a vendor told counts before what it says that it sent.
      ...(index === 2 ? { promptTokens: 90, usage: { prompt_tokens: 1, completion_tokens: 0 } } : {}),
    }));
    client = [];
    const report = await compare();
    expect(linesOf(report)).toEqual({});
    expect(report.logs).toMatchObject({
      estimated: 4,
      estimates: {
        over: { rows: 1, promptTokens: '4', outputTokens: '1', money: { USD: '5' } },
        // 7 instead of 5; and 30, the hold, instead of 4.
        under: { rows: 2, promptTokens: '-37', outputTokens: '-10', money: { USD: '-28' } },
        equalRows: 1,
      },
    });
    expect(report.logs!.estimates!.first.map(({ place, expected, found }) => [place['usage'], place['outcome'], expected, found])).toEqual([
      [rows[1]!.id, 'client_closed', '40 + 9 tokens, 30', '4 + 0 tokens, 4'],
      [rows[2]!.id, 'completed', '1 + 0 tokens, 1', '5 + 1 tokens, 6'],
      [rows[0]!.id, 'client_closed', '3 + 4 tokens, 7', '2 + 3 tokens, 5'],
    ]);
  });

  it('of somebody else’s requests is left alone', async () => {
    vendor.push({ id: 'foreign', requestId: 'req-of-another-customer', status: 200, complete: true, promptTokens: 7, tokens: 9 });
    expect((await compare()).logs).toMatchObject({ vendorEntries: 3, vendorOnly: { entries: 0 } });
  });
});

describe('a log that cannot be read ends the run, and says where', () => {
  it.each<[string, string | Buffer, RegExp]>([
    ['is not JSON', '{"requestId":\n', /broken\.jsonl, line 1: is not JSON/],
    ['lacks a field', '{"requestId":null,"status":200}\n', /line 1: completed: /],
    ['holds a cost below nothing', '\n\n{"requestId":null,"status":200,"completed":true,"cost":-0.1}\n', /line 3: cost: /],
    ['has a line that never ends', 'x'.repeat(200_000), /line 1: a line is longer than 65536 bytes/],
    ['has a long line', `${'x'.repeat(70_000)}\n`, /line 1: a line is longer than 65536 bytes/],
    ['is not UTF-8', Buffer.from([0x22, 0xff, 0x22, 0x0a]), /line 1: is not UTF-8/],
  ])('that %s', async (_, bytes, message) => {
    const file = join(folder, 'broken.jsonl');
    writeFileSync(file, bytes);
    await expect(compare({ clientLogs: [file] })).rejects.toMatchObject({ code: 'reconcile_log', publicMessage: expect.stringMatching(message) });
  });

  const clientLine = (fields: object): string => `${JSON.stringify({ requestId: null, status: 200, completed: false, ...fields })}\n`;
  const vendorLine = (fields: object): string => `${JSON.stringify({ id: 'a', requestId: null, status: 200, complete: true, promptTokens: 1, tokens: 1, ...fields })}\n`;

  // JSON may escape what Postgres cannot store: it would refuse the whole batch and name no line.
  it.each([
    ['a client’s', 'NUL in a code', clientLine({ errorCode: 'a\0b' }), /line 1: errorCode: has a NUL/],
    ['a client’s', 'half of a pair in a code', clientLine({}) + clientLine({ errorCode: '\ud800' }), /line 2: errorCode: has a NUL or half/],
    ['a client’s', 'NUL in a unit', clientLine({ usage: { prompt_tokens: 1, completion_tokens: 1, kilotoken: { charges: [{ unit: 'U\0', amount: '1' }] } } }), /line 1: usage\.kilotoken\.charges\.0\.unit: has a NUL/],
    ['a client’s', 'bytes of a crash', `${clientLine({})}\0\0\0\0\n`, /line 2: is not JSON/],
    ['a vendor’s', 'NUL in an id', vendorLine({}) + vendorLine({ id: 'chatcmpl-\0' }), /line 2: id: has a NUL/],
    ['a vendor’s', 'half of a pair in an id', vendorLine({ id: '\udc00' }), /line 1: id: has a NUL or half/],
    ['a vendor’s', 'NUL in a request', vendorLine({ requestId: '\0' }), /line 1: requestId: has a NUL/],
  ])('of %s: %s', async (whose, _, bytes, message) => {
    const file = join(folder, 'nul.jsonl');
    writeFileSync(file, bytes);
    await expect(compare(whose === 'a vendor’s' ? { vendorLogs: [file] } : { clientLogs: [file] })).rejects.toMatchObject({ code: 'reconcile_log', publicMessage: expect.stringMatching(message) });
  });

  it('that does not exist', async () => {
    await expect(compare({ clientLogs: [join(folder, 'nothing.jsonl')] })).rejects.toMatchObject({ code: 'reconcile_log', publicMessage: expect.stringContaining('ENOENT') });
  });

  it('but lines of any length of file are read, the last one without its end too', async () => {
    const filler = Array.from({ length: 3_000 }, () => ({ requestId: null, status: null, completed: false, failure: 'x'.repeat(100) }));
    const file = join(folder, 'long.jsonl');
    writeFileSync(file, [...filler, ...client].map((entry) => JSON.stringify(entry)).join('\n'));
    expect((await compare({ clientLogs: [file, write('again.jsonl', client)] })).logs).toMatchObject({ clientEntries: 3_006 });
  });
});
