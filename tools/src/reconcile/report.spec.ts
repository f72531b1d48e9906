import { describe, expect, it } from '@jest/globals';
import type { ReconcileReport } from '@kilotoken/reconcile';
import { closingLines } from './report.js';

const report = (logs: ReconcileReport['logs'], archives: ReconcileReport['archives'] = { files: 0, rows: 0, unread: [] }): ReconcileReport => ({
  holds: true,
  organization: null,
  from: null,
  to: null,
  snapshotAt: '2027-01-01T00:00:00.000Z',
  checks: [],
  inFlight: {
    openLeases: 0, leased: {}, openRequests: 0, unratedFlushes: 0, unratedRows: 0, unratedOldestSeconds: 0, sessions: 1, sessionsSilent: 0,
    quarantined: {}, defaultPartitionRows: 0, archivedRows: 30, droppedRows: 20,
  },
  archives,
  logs,
  elapsedMs: 1,
});
const none = { rows: 0, promptTokens: '0', outputTokens: '0', money: {} };
const logs = { clientEntries: null, vendorEntries: 9, tooRecent: 0, vendorOnly: { entries: 0, promptTokens: '0', outputTokens: '0', first: [] } };

describe('the report of estimated rows', () => {
  it('says who paid too much and too little, by how much, and names the largest', () => {
    const first = [{ organizationId: 'o', place: { usage: 'u1', outcome: 'client_closed' }, expected: '82000 + 9 tokens, 0.208', found: '5 + 9 tokens, 0.002' }];
    const estimates = { over: { rows: 1, promptTokens: '4', outputTokens: '-1', money: { USD: '0.5' } }, under: { rows: 2, promptTokens: '-81995', outputTokens: '0', money: { EUR: '-1', USD: '-0.206' } }, equalRows: 6, first };
    const lines = closingLines(report({ ...logs, estimated: 9, estimates }));
    expect(lines).toContain("9 rows with estimated counts, compared with the vendor's: 6 equal");
    expect(lines).toContain("1 row paid 0.5 USD too much (4 + -1 tokens against the vendor's)");
    expect(lines).toContain("2 rows paid 1 EUR, 0.206 USD too little (-81995 + 0 tokens against the vendor's)");
    expect(lines).toContain('usage u1, client_closed: vendor 82000 + 9 tokens, 0.208, billed 5 + 9 tokens, 0.002');
    expect(lines).toContain('30 usage rows exported and detached: the database has only their sums\n  20 usage rows of them dropped with their seals: only their files prove single rows and requests');
    expect(lines).toContain('The books hold');
  });

  it('says nothing of sides without rows, and nothing where no row was estimated', () => {
    expect(closingLines(report({ ...logs, estimated: 1, estimates: { over: none, under: none, equalRows: 1, first: [] } }))).not.toMatch(/too (much|little)/);
    expect(closingLines(report({ ...logs, estimated: 0 }))).not.toContain('estimated');
  });
});

describe('the report of exported files', () => {
  it('says which were read, and of each that was not why', () => {
    const lines = closingLines(report(null, { files: 2, rows: 1_234, unread: [{ partition: 'usage_2026_01', file: '/archive/usage_2026_01.parquet', reason: 'its folder cannot be reached from here' }] }));
    expect(lines).toContain('Archive: 2 files with 1,234 rows read');
    expect(lines).toContain('  not read: usage_2026_01 in /archive/usage_2026_01.parquet: its folder cannot be reached from here');
  });

  it('says that none was read, and nothing where nothing was exported', () => {
    expect(closingLines(report(null, { files: 0, rows: 0, unread: [{ partition: 'p', file: 'f', reason: 'r' }] }))).toContain('Archive: no file was read\n  not read: p in f: r');
    expect(closingLines(report(null))).not.toContain('Archive');
  });
});
