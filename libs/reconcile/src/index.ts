export { openAuditPool } from './audit-pool.store.js';
export { describeFinding, type CheckResult, type Estimates, type EstimateSide, type ReconcileReport } from './reconcile.js';
export { runReconcile, type ReconcileOptions } from './reconcile.flow.js';
export { runRecordedReconcile } from './recorded-run.flow.js';
export { guardsFile, listGuards } from './guard.store.js';
export { findUnsealed } from './seal.store.js';
