import { formatMoney, parseMoney } from '@kilotoken/money';
import { isBudget as isBudgetLimit } from '@kilotoken/quota';
import { exact } from '../shapes/exact.js';
import { globalId } from '../shapes/global-id.js';
import type { LimitRow } from './limit.store.js';
import type { Budget, Limit, LimitSubject } from './limit.type.js';

/** Everything counts as a limit; a budget is one for days and weeks rather than for the moment. */
export const isBudget = ({ measure, windowKind }: Pick<LimitRow, 'measure' | 'windowKind'>): boolean => isBudgetLimit({ measure, windowKind } as never);

const subjectOf = ({ organizationId, subjectKind, subjectId, subjectName }: LimitRow): LimitSubject => {
  switch (subjectKind) {
    case 'organization':
      return { kind: 'organization', name: subjectName ?? '', id: globalId('Organization', organizationId, organizationId) };
    case 'project':
      return { kind: 'project', name: subjectName ?? '', id: globalId('Project', organizationId, subjectId) };
    case 'key':
      return { kind: 'api_key', name: subjectName ?? '', id: globalId('ApiKey', organizationId, subjectId) };
    case 'end_user':
      return { kind: 'end_users', name: '', id: null };
  }
};

const windowOf = ({ windowKind, windowMs }: LimitRow): string => (windowKind === 'rolling' ? `${windowMs / 1_000n}s` : windowKind);

export const toLimit = (row: LimitRow): Limit => ({
  __typename: 'Limit',
  id: globalId('Limit', row.organizationId, row.id),
  subject: subjectOf(row),
  measure: row.measure,
  unit: row.unit,
  window: windowOf(row),
  amount: exact(row.amount),
  mode: row.mode,
  used: row.counted === null ? null : exact(row.counted),
  createdAt: row.createdAt,
});

export const toBudget = (row: LimitRow): Budget => {
  const amount = parseMoney(row.amount);
  const used = parseMoney(row.counted ?? '0');
  return {
    __typename: 'Budget',
    id: globalId('Budget', row.organizationId, row.id),
    subject: subjectOf(row),
    unit: row.measure === 'money' ? row.unit : row.measure,
    period: windowOf(row),
    mode: row.mode,
    amount: formatMoney(amount),
    used: formatMoney(used),
    left: formatMoney(used < amount ? amount - used : 0n),
    periodStart: row.windowStart,
    periodEnd: row.windowEnd,
    alertPercents: row.alertPercents,
    alerted: row.alerted,
  };
};
