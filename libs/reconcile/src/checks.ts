import { adjustmentChecks } from './adjustment-checks.js';
import { archiveChecks } from './archive-checks.js';
import { auditChecks } from './audit-checks.js';
import { eventChecks } from './event-checks.js';
import { grantChecks } from './grant-checks.js';
import { grantLedgerChecks } from './grant-ledger-checks.js';
import { leaseChecks } from './lease-checks.js';
import { ledgerChecks } from './ledger-checks.js';
import { limitChecks } from './limit-checks.js';
import { periodChecks } from './period-checks.js';
import { priceChecks } from './price-checks.js';
import { ratingChecks } from './rating-checks.js';
import type { Check } from './reconcile.js';
import { referenceChecks } from './reference-checks.js';
import { rollupChecks } from './rollup-checks.js';
import { sealChecks } from './seal-checks.js';
import { usageChecks } from './usage-checks.js';

/** All checks of the database, in the order in which they run and are printed. */
export const checks: readonly Check[] = [
  ...ledgerChecks, ...grantLedgerChecks, ...adjustmentChecks, ...grantChecks, ...leaseChecks, ...usageChecks, ...sealChecks, ...priceChecks, ...ratingChecks, ...periodChecks, ...referenceChecks,
  ...limitChecks, ...eventChecks, ...rollupChecks, ...archiveChecks, ...auditChecks,
];
