import { grantChecks } from './grant-checks.js';
import { ledgerChecks } from './ledger-checks.js';
import { ratingChecks } from './rating-checks.js';
import type { Check } from './reconcile.js';
import { usageChecks } from './usage-checks.js';

/** All checks of the database, in the order in which they run and are printed. */
export const checks: readonly Check[] = [...ledgerChecks, ...grantChecks, ...usageChecks, ...ratingChecks];
