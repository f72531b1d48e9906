import { parseMoney, type Money } from '@kilotoken/money';
import type { Db } from '@kilotoken/platform';

export interface RulePlace {
  readonly organization: string;
  readonly child: string;
  readonly unit: string;
}

export interface DueRules {
  readonly checked: number;
  readonly due: readonly RulePlace[];
  /** The last one that was checked. */
  readonly last: RulePlace | null;
}

/** Crosses organizations by a named function, as the next one does. */
export const findDueRules = async (db: Db, after: RulePlace | null, count: number): Promise<DueRules> => {
  const { rows } = await db.query<{ answer: { checked: number; due: RulePlace[] } & { [Field in keyof RulePlace]: string | null } }>('SELECT transfer_rules_due($1, $2, $3, $4) AS answer', [
    after?.organization ?? null, after?.child ?? null, after?.unit ?? null, count,
  ]);
  const { checked, due, organization, child, unit } = rows[0]!.answer;
  return { checked, due, last: organization !== null && child !== null && unit !== null ? { organization, child, unit } : null };
};

/** Runs one rule in a transaction of its own; answers the sum that it transferred. */
export const runRule = async (db: Db, { organization, child, unit }: RulePlace): Promise<Money> => {
  const { rows } = await db.query<{ sum: string }>('SELECT transfer_rule_run($1, $2, $3)::text AS sum', [organization, child, unit]);
  return parseMoney(rows[0]!.sum);
};

export interface LimitPlace {
  readonly organization: string;
  readonly limit: string;
}

/** Tells of the next budgets that reached a percent. Crosses organizations by a named function. */
export const checkBudgets = async (db: Db, after: LimitPlace | null, count: number): Promise<{ readonly checked: number; readonly alerted: number; readonly last: LimitPlace | null }> => {
  const { rows } = await db.query<{ answer: { checked: number; alerted: number; organization: string | null; limit: string | null } }>('SELECT budget_alerts_check($1, $2, $3) AS answer', [
    after?.organization ?? null, after?.limit ?? null, count,
  ]);
  const { checked, alerted, organization, limit } = rows[0]!.answer;
  return { checked, alerted, last: organization !== null && limit !== null ? { organization, limit } : null };
};
