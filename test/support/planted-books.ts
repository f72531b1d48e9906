import { randomUUID } from 'node:crypto';
import { detachPartition, dropPartition, exportPartition, makePartition } from '@kilotoken/usage/partitions';
import { findUnsealed } from '@kilotoken/reconcile';
import { MoneyDatabase, type Usage } from './money-database.js';
import { rate } from './reconcile-fixture.js';

const dayMs = 86_400_000;
/** The lane's cost of a token, at first and from the last month on; the sale is 1 and 2. */
const laneCosts = { first: { input: '0.5', output: '1.5' }, later: { input: '0.25', output: '1.25' } } as const;

interface Served {
  readonly name?: string;
  readonly organization: 'parent' | 'child' | 'other';
  readonly lease: string;
  readonly input: number;
  readonly output?: number;
  readonly at?: keyof typeof laneCosts;
  /** Other fields of the row. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/**
 * Books that hold, with one of everything that a proof looks at, over four months: two organizations in one account tree and a third by
 * itself; grants of several sources, spent, expired, refunded, closing and adjusted; usage that was settled, failed, interrupted, estimated,
 * rated, adjusted, in quarantine, and that waits; sessions that live and that were reaped; limits; events; a running request; two
 * partitions that were exported, one of which has left. `ids` names what a test damages.
 */
export class PlantedBooks {
  readonly ids: Record<string, string> = {};
  private flushes = 0;

  private constructor(
    readonly money: MoneyDatabase,
    private readonly archiveFolder: string,
  ) {}

  static async create(archiveFolder: string): Promise<PlantedBooks> {
    const books = new PlantedBooks(await MoneyDatabase.create(), archiveFolder);
    await books.sellModels();
    await books.at(-110);
    await books.openAccounts();
    await books.useMonth('gone');
    await books.leaveMonth('gone');
    await books.at(-75);
    await books.useMonth('exported');
    await books.at(-40);
    await books.money.expireGrants();
    await books.raiseLaneCost();
    await books.at(0);
    await exportPartition(books.money.owner, books.id('exportedPartition'), archiveFolder, new Date());
    await books.serve();
    await books.changeGrants();
    await books.reapSession();
    await books.limitUse();
    await books.keepRunning();
    await books.dropFarPartitions();
    return books;
  }

  id(name: string): string {
    const id = this.ids[name];
    if (!id) throw new Error(`the books have no ${name}`);
    return id;
  }

  async drop(): Promise<void> {
    await this.money.drop();
  }

  /** The database's clock and the gateways', so many days from now. */
  private async at(days: number): Promise<void> {
    this.money.clockMs = () => Date.now() + days * dayMs;
    await this.money.shiftClock(`${days} days`);
  }

  private async sellModels(): Promise<void> {
    const { money, ids } = this;
    const [lane] = await money.sql<{ id: string }>("UPDATE lane SET cost_per = 1, cost_rates = $1 RETURNING id", [laneCosts.first]);
    ids['lane'] = lane!.id;
    const [version] = await money.sql<{ id: string; book: string }>('SELECT id, price_book_id AS book FROM price_version');
    Object.assign(ids, { version: version!.id, book: version!.book, futureVersion: randomUUID(), pastVersion: randomUUID(), partnersBook: randomUUID(), partnersVersion: randomUUID(), otherModelVersion: randomUUID() });
    await money.sql("DELETE FROM lane_cost");
    await money.sql("INSERT INTO lane_cost (lane_id, since, currency, per, rates) SELECT id, now() - interval '200 days', cost_currency, cost_per, cost_rates FROM lane");
    await money.sql("UPDATE price_version SET effective_at = now() - interval '200 days', published_at = now() - interval '201 days'");
    await money.sql("INSERT INTO price_book (id, name) VALUES ($1, 'partners')", [ids['partnersBook']]);
    await money.sql("INSERT INTO model (id, context_window, max_output_tokens, origin) VALUES ('rich', 1000, 1000, 'seed')");
    const versions: readonly (readonly [string, string, string, string])[] = [
      ['futureVersion', 'book', 'mock', '10 days'], ['pastVersion', 'book', 'mock', '-300 days'], ['partnersVersion', 'partnersBook', 'mock', '-200 days'], ['otherModelVersion', 'book', 'rich', '-200 days'],
    ];
    for (const [name, book, model, effective] of versions) {
      await money.sql("INSERT INTO price_version (id, price_book_id, model_id, currency, effective_at, published_at) VALUES ($1, $2, $3, 'USD', now() + $4::interval, now() - interval '301 days')", [ids[name], ids[book], model, effective]);
      await money.sql("INSERT INTO rate (price_version_id, token_class, amount, per) VALUES ($1, 'input', 1, 1)", [ids[name]]);
    }
    await money.sql("INSERT INTO rate (price_version_id, token_class, amount, per) SELECT id, 'output', 2, 1 FROM price_version");
    const [gateway] = await money.sql<{ id: string }>("INSERT INTO lane (id, model_id, position, kind, base_url, upstream_model, cost_currency, cost_per, cost_rates, origin) VALUES (gen_random_uuid(), 'mock', 1, 'openai', 'http://127.0.0.1:1/v1', 'dear', 'EUR', 1, '{\"input\": \"9\"}', 'seed') RETURNING id");
    ids['otherLane'] = gateway!.id;
  }

  /** Every partition costs each plan its time: those of far months are no part of any proof. */
  private async dropFarPartitions(): Promise<void> {
    const far = await this.money.sql<{ name: string }>("SELECT partition AS name FROM usage_partitions() WHERE first_id > uuid_floor(now() + interval '40 days')");
    for (const { name } of far) await this.money.sql(`DROP TABLE ${name}`);
  }

  private async openAccounts(): Promise<void> {
    const { money, ids } = this;
    for (const name of ['parent', 'child', 'other']) {
      const { organizationId, projectId, keys } = await money.newTenant();
      Object.assign(ids, { [name]: organizationId, [`${name}Project`]: projectId, [`${name}Key`]: keys[0]!.id });
    }
    await money.sql('UPDATE organization SET account_root_id = $1 WHERE id = $2', [ids['parent'], ids['child']]);
    await this.issue('prepaid', 'parent', '1000');
    await this.issue('package', 'parent', '500');
    await this.issue('childPrepaid', 'child', '300', 'prepaid');
    await this.issue('otherPrepaid', 'other', '200', 'prepaid');
    await this.issue('free_quota', 'parent', '40', 'free_quota', '60 days');
  }

  private async issue(name: string, organization: string, amount: string, source = name, ends: string | null = null): Promise<void> {
    const rows = await this.money.sql<{ id: string }>("SELECT grant_issue_against($1, uuidv7(), 'USD', $2, $3, $4, NULL, NULL, NULL, kt_now() + $5::interval, NULL) AS id", [this.ids[organization], amount, source, `${name}-1`, ends]);
    this.ids[name] = rows[0]!.id;
    this.ids[`${name}Issued`] = await this.transaction(organization, 'grant_issued', rows[0]!.id);
  }

  private async transaction(organization: string, kind: string, source: string): Promise<string> {
    const rows = await this.money.sql<{ id: string }>('SELECT id FROM ledger_transaction WHERE organization_id = $1 AND kind = $2 AND source_id LIKE $3', [this.id(organization), kind, `${source}%`]);
    if (rows.length !== 1) throw new Error(`${rows.length} transactions ${kind} ${source}`);
    return rows[0]!.id;
  }

  /** A lease of one grant: all others of the organization are closed to the ask by their model's scope. */
  private async lease(name: string, session: string, organization: string, need: string, grant: string): Promise<void> {
    const { money, ids } = this;
    const others = await money.sql<{ id: string; available: string }>('SELECT id FROM credit_grant WHERE organization_id = $1 AND id <> $2 AND scope_models IS NULL', [ids[organization], ids[grant]]);
    const close = (models: string[] | null): Promise<unknown> => money.sql('UPDATE credit_grant SET scope_models = $1 WHERE id = ANY ($2)', [models, others.map(({ id }) => id)]);
    await close(['none']);
    money.tenant = { ...money.tenant, organizationId: this.id(organization) };
    const [taken] = (await money.take(this.id(session), { need })).leases;
    await close(null);
    Object.assign(ids, { [name]: taken!.leaseId, [`${name}Grant`]: ids[grant]! });
  }

  private async session(name: string): Promise<void> {
    this.ids[name] = await this.money.newSession();
  }

  private row({ name, organization, lease, input, output = 0, at = 'later', fields = {} }: Served): object {
    const { money, ids } = this;
    const [charge, cost] = [input + 2 * output, input * Number(laneCosts[at].input) + output * Number(laneCosts[at].output)];
    const usage: Usage = {
      organization: this.id(organization), charge, hold: String(charge + 100), cost: String(cost), counts: output === 0 ? { input } : { input, output },
      allocations: charge === 0 ? [] : [{ lease: this.id(lease), grant: this.id(`${lease}Grant`), amount: String(charge) }],
    };
    const row = { ...money.usageRow({ ...usage, ...(typeof fields['id'] === 'string' ? { id: fields['id'] } : {}) }), root: organization === 'child' ? ids['parent'] : ids[organization], lane: ids['lane'], project: ids[`${organization}Project`], key: ids[`${organization}Key`], upstream_model: 'mock', upstream_id: `chatcmpl-${randomUUID()}`, upstream_status: 200, finish: 'stop', tags: { team: 'blue' }, user: 'u-1', ...fields };
    if (name) ids[name] = (row as unknown as { id: string }).id;
    return row;
  }

  /** A pack of the child, of one a token of prompt and four of answer, and a lease of it. */
  private async issuePack(): Promise<void> {
    const { money, ids } = this;
    Object.assign(ids, { burnTable: randomUUID(), otherBurnTable: randomUUID() });
    await money.sql("INSERT INTO pack_unit (unit) VALUES ('pack')");
    for (const [name, effective] of [['burnTable', '-200 days'], ['otherBurnTable', '-199 days']] as const) {
      await money.sql("INSERT INTO burn_table (id, unit, effective_at) VALUES ($1, 'pack', now() + $2::interval)", [ids[name], effective]);
      await money.sql("INSERT INTO burn_weight (burn_table_id, token_class, amount, per) VALUES ($1, 'input', $2, 1), ($1, 'output', 4, 1)", [ids[name], name === 'burnTable' ? 1 : 2]);
    }
    const [grant] = await money.sql<{ id: string }>("SELECT grant_issue_against($1, uuidv7(), 'pack', 50, 'package', 'child-pack', NULL, NULL, NULL, NULL, NULL) AS id", [ids['child']]);
    const [taken] = await money.sql<{ answer: { leases: { leaseId: string }[] } }>("SELECT lease_take($1, $2, $3, 'pack', 'mock', 20, 20, 0, $4) AS answer", [ids['session'], ids['child'], money.mintId(), money.mintId()]);
    Object.assign(ids, { packGrant: grant!.id, packLease: taken!.answer.leases[0]!.leaseId });
  }

  /** Four tokens of prompt and one of answer by ten units of the pack, two of answer by money. */
  private straddling(): object {
    const { ids } = this;
    const portions = [
      { unit: 'pack', burn_table: ids['burnTable'], counts: { input: 4, output: 1 }, hold: '10', rated: '8', charge: '8' },
      { unit: 'USD', burn_table: null, counts: { output: 2 }, hold: '104', rated: '4', charge: '4' },
    ];
    const allocations = [
      { lease: ids['packLease'], grant: ids['packGrant'], unit: 'pack', tokens: 5, amount: '8' },
      { lease: ids['childLease'], grant: ids['childPrepaid'], unit: 'USD', tokens: 2, amount: '4' },
    ];
    return this.row({ name: 'straddling', organization: 'child', lease: 'childLease', input: 4, output: 3, fields: { hold: '104', rated: '4', charge: '4', portions, allocations } });
  }

  private misrated(name: string, input: number, amount: number): object {
    const row = this.row({ name, organization: 'parent', lease: 'openLease', input });
    return { ...row, rated: String(amount), charge: String(amount), allocations: [{ lease: this.ids['openLease'], grant: this.ids['prepaid'], amount: String(amount) }] };
  }

  private async settle(session: string, ...rows: object[]): Promise<void> {
    this.flushes += 1;
    await this.money.app.query('SELECT settle($1, $2, $3)', [this.id(session), this.flushes, JSON.stringify(rows)]);
  }

  /** Rates what waits, as one rating, and adds it to the rollups. */
  private async rate(name: string): Promise<void> {
    const { money, ids } = this;
    ids[name] = money.mintId();
    await rate(money, ids[name]!);
    while ((await money.app.query<{ batches: bigint }>('SELECT batches FROM rollup_add(1000)')).rows[0]!.batches > 0n);
  }

  /** A session of a month that is over: three requests, rated, its lease returned by its reaper. */
  private async useMonth(month: 'gone' | 'exported'): Promise<void> {
    const { money, ids } = this;
    const from = new Date(money.clockMs());
    for (let made = await makePartition(money.app, 'month', { from, until: new Date(from.getTime() + 1) }, 100); made; made = await makePartition(money.app, 'month', { from, until: new Date(from.getTime() + 1) }, 100));
    await this.session(`${month}Session`);
    await this.lease(`${month}Lease`, `${month}Session`, 'parent', '50', 'prepaid');
    await this.lease(`${month}ChildLease`, `${month}Session`, 'child', '20', 'childPrepaid');
    await this.settle(`${month}Session`, this.row({ name: `${month}Usage`, organization: 'parent', lease: `${month}Lease`, input: 4, output: 3, at: 'first', fields: { upstream_id: `served-as-${month}` } }), this.row({ organization: 'child', lease: `${month}ChildLease`, input: 5, at: 'first' }));
    await this.settle(`${month}Session`, this.row({ organization: 'parent', lease: `${month}Lease`, input: 6, at: 'first' }));
    await this.rate(`${month}Rating`);
    await money.reap(this.id(`${month}Session`));
    const [partition] = await money.sql<{ name: string }>('SELECT tableoid::regclass::text AS name FROM usage WHERE id = $1', [ids[`${month}Usage`]]);
    ids[`${month}Partition`] = partition!.name;
  }

  private async leaveMonth(month: string): Promise<void> {
    const [name, now] = [this.id(`${month}Partition`), new Date()];
    await exportPartition(this.money.owner, name, this.archiveFolder, now);
    await detachPartition(this.money.owner, name, now);
    await dropPartition(this.money.owner, name, findUnsealed);
  }

  private async raiseLaneCost(): Promise<void> {
    await this.money.sql('UPDATE lane SET cost_rates = $1 WHERE id = $2', [laneCosts.later, this.ids['lane']]);
    const [expired] = await this.money.sql<{ id: string }>("SELECT id FROM ledger_transaction WHERE kind = 'grant_expired'");
    this.ids['expiredTransaction'] = expired!.id;
  }

  private async serve(): Promise<void> {
    const { money, ids } = this;
    for (const session of ['session', 'otherSession', 'reaped']) await this.session(session);
    await this.lease('openLease', 'session', 'parent', '100', 'prepaid');
    await this.lease('childLease', 'session', 'child', '60', 'childPrepaid');
    await this.lease('otherLease', 'otherSession', 'other', '50', 'otherPrepaid');
    await this.lease('closedLease', 'session', 'parent', '30', 'package');
    const [retried, capped] = [money.mintId(), money.mintId()];
    await this.issuePack();
    const of = { organization: 'parent', lease: 'openLease' } as const;
    await this.settle('session',
      this.row({ ...of, name: 'rated', input: 3, output: 2 }),
      this.row({ ...of, name: 'retried', input: 0, fields: { id: retried, attempt: 0, outcome: 'upstream_failed', status: 0, upstream_status: 500, finish: null } }),
      this.row({ ...of, input: 2, fields: { id: retried, attempt: 1 } }),
      this.row({ ...of, name: 'estimated', input: 3, output: 1, fields: { estimated: true, outcome: 'client_closed' } }),
      this.row({ organization: 'child', lease: 'childLease', name: 'childUsage', input: 7 }),
      this.straddling(),
      // Rated at another price than is published, until they are adjusted.
      this.misrated('dear', 5, 6), this.misrated('cheap', 5, 3));
    // Rated at 12, held at 10.
    await this.settle('session', { ...this.row({ ...of, name: 'capped', input: 12, fields: { id: capped } }), hold: '10', charge: '10', rated: '12', allocations: [{ lease: ids['openLease'], grant: ids['prepaid'], amount: '10' }] });
    await this.settle('session', this.row({ organization: 'parent', lease: 'closedLease', name: 'closedUsage', input: 8 }));
    await this.settle('otherSession', this.row({ organization: 'other', lease: 'otherLease', name: 'otherUsage', input: 9 }));
    await this.rate('rating');
    ids['ratedTransaction'] = await this.transaction('parent', 'usage_rated', ids['rating']!);
    await this.settle('otherSession', this.row({ organization: 'other', lease: 'otherLease', name: 'laterUsage', input: 1 }));
    await this.rate('laterRating');
    await money.app.query('SELECT lease_return($1, $2)', [ids['session'], JSON.stringify([{ organization: ids['parent'], lease: ids['closedLease'], keep: '8', close: true }])]);
    // Two rows that wait to be rated, one of them alone in its flush.
    await this.settle('session', this.row({ ...of, name: 'unrated', input: 4 }));
    await this.settle('otherSession', this.row({ organization: 'other', lease: 'otherLease', name: 'otherUnrated', input: 2 }), this.row({ organization: 'other', lease: 'otherLease', input: 3 }));
  }

  private async changeGrants(): Promise<void> {
    const { money, ids } = this;
    await this.issue('promotion', 'parent', '25');
    await this.issue('refunded', 'parent', '70', 'package');
    await this.issue('closing', 'child', '80', 'package');
    await this.issue('allowance', 'other', '15');
    await money.sql("SELECT grant_adjust_against($1, $2, 2.5, 'ticket-1', 'a gesture', NULL)", [ids['parent'], ids['package']]);
    await money.sql("SELECT grant_adjust_against($1, $2, -1.5, 'ticket-2', 'issued twice', NULL)", [ids['other'], ids['allowance']]);
    ids['adjustedTransaction'] = await this.transaction('parent', 'grant_adjusted', 'ticket-1');
    await money.sql("SELECT grant_refund_against($1, $2, NULL, 'refund-1', 'not wanted', NULL)", [ids['parent'], ids['refunded']]);
    ids['refundedTransaction'] = await this.transaction('parent', 'grant_refunded', ids['refunded']!);
    await money.sql("SELECT grant_refund_against($1, $2, 3, 'refund-3', 'a part of it', NULL)", [ids['other'], ids['allowance']]);
    const [transfer] = await money.sql<{ id: string; to: string }>("SELECT t.id, t.to_grant_id AS to FROM grant_transfer_to($1, $2, $3, uuidv7(), 12, 'transfer-1', 'for the child') t", [ids['parent'], ids['prepaid'], ids['child']]);
    Object.assign(ids, { transfer: transfer!.id, received: transfer!.to });
    // A lease keeps it from being refunded yet.
    await this.lease('closingLease', 'session', 'child', '5', 'closing');
    await money.sql("SELECT grant_refund_against($1, $2, NULL, 'refund-2', 'moving on', NULL)", [ids['child'], ids['closing']]);
    for (const [name, usage] of [['lowered', 'dear'], ['raised', 'cheap']] as const) {
      const rows = await money.sql<{ id: string }>("SELECT (rating_adjust_unit($1, $2, 0::smallint, 'USD', 5, 'wrong price')).id", [ids['parent'], ids[usage]]);
      Object.assign(ids, { [name]: rows[0]!.id, [`${name}Transaction`]: await this.transaction('parent', 'rating_adjusted', rows[0]!.id) });
    }
  }

  /** A gateway that died: a request of it is billed to its checkpoint, its lease returned, a row of it kept in quarantine. */
  private async reapSession(): Promise<void> {
    const { money, ids } = this;
    await this.lease('reapedLease', 'reaped', 'parent', '20', 'promotion');
    await this.settle('reaped', this.row({ organization: 'parent', lease: 'reapedLease', name: 'reapedUsage', input: 2 }));
    await this.open('reaped', 'parent', 'reapedLease', 'reapedOpen');
    ids['quarantined'] = money.mintId();
    await money.app.query("SELECT usage_quarantine_put($1, $2, $3, 0::smallint, 'settle:22003', 'bytes')", [ids['reaped'], ids['parent'], ids['quarantined']]);
    await money.reap(this.id('reaped'));
  }

  private async open(session: string, organization: Served['organization'], lease: string, name: string): Promise<void> {
    const row = { ...this.row({ name, organization, lease, input: 1 }), opened: true };
    const open = [{ organization: this.ids[organization], id: this.ids[name], holds: [{ lease: this.ids[lease], grant: this.ids[`${lease}Grant`], amount: '5' }], settlement: [row] }];
    await this.money.app.query('SELECT checkpoint_requests($1, $2)', [this.ids[session], JSON.stringify(open)]);
  }

  private async limitUse(): Promise<void> {
    const { money, ids } = this;
    ids['limit'] = randomUUID();
    await money.sql("INSERT INTO usage_limit (organization_id, id, subject_kind, subject_id, measure, unit, window_kind, window_ms, amount, mode) VALUES ($1, $2, 'organization', $1, 'money', 'USD', 'month', 0, 1000, 'hard')", [ids['parent'], ids['limit']]);
    const ask = [{ limit: ids['limit'], subject: ids['parent'], keep: [], need: '20', least: '20', spare: '0', stopped: false }];
    await money.app.query('SELECT limit_exchange($1, $2, uuidv7(), uuidv7(), $3)', [ids['session'], ids['parent'], JSON.stringify(ask)]);
  }

  private async keepRunning(): Promise<void> {
    const { money, ids } = this;
    await this.open('session', 'parent', 'openLease', 'running');
    await money.app.query('SELECT idempotency_claim($1, $2, $3, gen_random_uuid(), $4, 86400000, 60000)', [ids['session'], ids['parent'], 'order-1', Buffer.alloc(32)]);
    await money.sql("UPDATE idempotency_claim SET request_id = $1", [ids['running']]);
    await money.app.query("SELECT events_dispatch(1000, '{}')");
    const events = await money.sql<{ id: string; kind: string }>('SELECT id, kind FROM outbox_event WHERE organization_id = $1 ORDER BY sequence', [ids['parent']]);
    Object.assign(ids, { event: events[1]!.id, issuedEvent: events.find(({ kind }) => kind === 'grant.issued')!.id });
    await money.sql('UPDATE session_heartbeat SET beat_at = kt_now() WHERE session_id = ANY ($1)', [[ids['session'], ids['otherSession']]]);
  }
}
