import { auditDamages } from './audit.js';
import type { Damage } from './damage.js';
import { grantDamages } from './grants.js';
import { guardDamages } from './guards.js';
import { leaseDamages } from './leases.js';
import { ledgerDamages } from './ledger.js';
import { ratingDamages } from './ratings.js';
import { reportDamages } from './reports.js';
import { usageDamages } from './usage.js';

export const damages: readonly Damage[] = [...usageDamages, ...ledgerDamages, ...grantDamages, ...leaseDamages, ...ratingDamages, ...reportDamages, ...guardDamages, ...auditDamages];
