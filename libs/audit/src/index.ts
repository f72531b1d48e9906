export { differingFields, type AuditEntry, type AuditSearch, type JsonFields, type NewAuditEntry } from './audit.js';
export { audited, listAuditEntries, type AuditTransaction } from './audit.flow.js';
