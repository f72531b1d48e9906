import { MoneyDatabase } from './money-database.js';

/**
 * Books that hold, with one of everything: two organizations; leases that are open and closed; usage that was rated, that waits, that
 * failed at a first attempt, that a reaper billed; a running request. `ids` names what a test damages.
 */
export class ReconcileFixture {
  private constructor(
    readonly money: MoneyDatabase,
    readonly ids: Readonly<Record<string, string>>,
    readonly slugs: readonly [string, string],
  ) {}

  static async create(): Promise<ReconcileFixture> {
    const money = await MoneyDatabase.create();
    const ids: Record<string, string> = {};
    const mint = (name: string): string => (ids[name] = money.mintId());
    const [session, reapedSession] = [await money.newSession(), await money.newSession()];
    ids['reapedSession'] = reapedSession;

    const { organizationId, grantIds } = await money.newTenant('100');
    const [organization, grant] = [(ids['organization'] = organizationId), (ids['grant'] = grantIds[0]!)];
    const lease = (ids['lease'] = (await money.take(session, { need: '10' })).leases[0]!.leaseId);
    const closedLease = (ids['closedLease'] = (await money.take(reapedSession, { need: '5' })).leases[0]!.leaseId);
    const failed = { charge: 0, counts: {}, outcome: 'upstream_failed' };
    const retried = mint('retried');
    await money.settle(session, 1, { id: mint('rated'), charge: 1, cost: '0.25', allocations: [{ lease, grant, amount: '1' }] },
      { ...failed, id: retried }, { id: retried, attempt: 1, charge: '5.5', rated: '6', hold: '5.5', counts: { input: 6 }, allocations: [{ lease, grant, amount: '5.5' }] });
    await rate(money, mint('rating'));
    await money.settle(session, 2, { ...failed, id: mint('later'), cost: '0.5' });
    await rate(money, mint('laterRating'));
    ids['grantTransaction'] = await findTransaction(money, organization, 'grant_issued');
    ids['ratedTransaction'] = await findTransaction(money, organization, 'usage_rated', ids['rating']);

    const other = await money.newTenant('50');
    const otherLease = (await money.take(session, { need: '10' })).leases[0]!.leaseId;
    Object.assign(ids, { otherOrganization: other.organizationId, otherGrant: other.grantIds[0]!, otherLease });
    await money.settle(session, 3, { id: mint('otherUsage'), charge: 4, allocations: [{ lease: otherLease, grant: other.grantIds[0]!, amount: '4' }] });
    await rate(money, mint('otherRating'));

    const ofFirst = { organization };
    await money.settle(session, 4, { ...ofFirst, id: mint('unrated'), charge: 3, allocations: [{ lease, grant, amount: '3' }] });
    await money.checkpoint(session, { ...ofFirst, id: mint('open'), charge: '0.5', allocations: [{ lease, grant, amount: '0.5' }] });
    await money.settle(reapedSession, 1, { ...ofFirst, id: mint('closedUsage'), charge: 5, allocations: [{ lease: closedLease, grant, amount: '5' }] });
    await money.reap(reapedSession);
    const slugs = await money.sql<{ slug: string }>('SELECT slug FROM organization WHERE id = ANY ($1) ORDER BY id = $2 DESC', [[organization, other.organizationId], organization]);
    return new ReconcileFixture(money, ids, [slugs[0]!.slug, slugs[1]!.slug]);
  }

  /** Rates what waits, as one rating. */
  async rate(): Promise<void> {
    await rate(this.money, this.money.mintId());
  }

  /** As the owner, past every trigger and foreign key. */
  async plant(sql: string): Promise<void> {
    const client = await this.money.owner.connect();
    try {
      await client.query(`BEGIN; SET LOCAL session_replication_role = replica; ${sql}; COMMIT`);
      // Postgres tells its counters once a second; `append-only` reads them.
      await client.query('SELECT pg_stat_force_next_flush()');
    } finally {
      client.release();
    }
  }

  async drop(): Promise<void> {
    await this.money.drop();
  }
}

/** Rates everything that waits, as one rating. By SQL alone: what is checked must not be what the code under test computes. */
export async function rate(money: MoneyDatabase, rating: string): Promise<void> {
  await money.sql(
    `WITH claimed AS (DELETE FROM unrated_batch RETURNING *), taken AS MATERIALIZED (
       SELECT b.session_id, b.flush, b.shard, u.organization_id, u.account_root_id, u.unit, u.charge, u.rated, u.cost, u.cost_currency, u.portions
       FROM claimed b CROSS JOIN LATERAL unnest(b.organization_ids, b.usage_ids, b.attempts) AS k(organization_id, id, attempt)
       JOIN usage u USING (organization_id, id, attempt))
     SELECT rating_post($1,
       (SELECT json_agg(DISTINCT jsonb_build_object('session', session_id, 'flush', flush, 'shard', shard)) FROM taken),
       (SELECT json_agg(r) FROM (SELECT account_root_id AS root, count(*) AS rows FROM taken GROUP BY 1) r),
       (SELECT json_agg(t) FROM (SELECT organization_id AS organization, unit, cost_currency, sum(charge) AS charge, sum(rated) AS rated, sum(cost) AS cost FROM (
         SELECT organization_id, unit, cost_currency, charge, rated, cost FROM taken
         UNION ALL SELECT organization_id, p ->> 'unit', cost_currency, (p ->> 'charge')::numeric, (p ->> 'rated')::numeric, 0 FROM taken CROSS JOIN LATERAL jsonb_array_elements(portions) p WHERE p ->> 'unit' <> unit) a GROUP BY 1, 2, 3) t),
       '[]') WHERE EXISTS (SELECT FROM taken)`,
    [rating],
  );
}

async function findTransaction(money: MoneyDatabase, organizationId: string, kind: string, source: string | null = null): Promise<string> {
  const rows = await money.sql<{ id: string }>('SELECT id FROM ledger_transaction WHERE organization_id = $1 AND kind = $2 AND source_id = coalesce($3, source_id)', [organizationId, kind, source]);
  return rows[0]!.id;
}
