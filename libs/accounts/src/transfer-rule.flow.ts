import { prismaSqlStateOf, sqlStateOf, type RawDb } from '@kilotoken/platform';
import { conflict, invalid, notFound, parseInput } from './accounts.errors.js';
import { newTransferRuleSchema, transferRulePlaceSchema, type NewTransferRule, type TransferRule, type TransferRulePlace } from './transfer-rule.js';
import { deleteRule, listRuleRows, upsertRule } from './transfer-rule.store.js';

/**
 * Sets how a child is kept in funds, in the caller's transaction; one rule for each unit. It is run by the backoffice within seconds. Throws
 * `accounts_invalid`, or `organizations_not_related` where the child is not below the organization.
 */
export const setTransferRule = async (db: RawDb, input: NewTransferRule): Promise<TransferRule> => {
  const rule = parseInput(newTransferRuleSchema, input);
  try {
    await upsertRule(db, rule);
  } catch (error) {
    const sqlState = sqlStateOf(error) ?? prismaSqlStateOf(error);
    if (sqlState === 'KT063') throw conflict('organizations_not_related', 'A rule keeps an organization below the paying one in funds.', error);
    if (sqlState === 'KT064') throw invalid('unit: must be a currency such as USD, or a pack unit that was declared', error);
    throw error;
  }
  return (await listRuleRows(db, rule.organizationId)).find(({ childId, unit }) => childId === rule.childId && unit === rule.unit)!;
};

/** In the order of children and units. */
export const listTransferRules = (db: RawDb, organizationId: string): Promise<TransferRule[]> => listRuleRows(db, organizationId);

/** Throws `transfer_rule_not_found`. */
export const removeTransferRule = async (db: RawDb, place: TransferRulePlace): Promise<void> => {
  const { organizationId, childId, unit } = parseInput(transferRulePlaceSchema, place);
  if (!(await deleteRule(db, organizationId, childId, unit))) throw notFound('transfer_rule', 'There is no such rule.');
};
