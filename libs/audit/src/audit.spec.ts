import { describe, expect, it } from '@jest/globals';
import { differingFields, readCursor, storableFields, writeCursor } from './audit.js';

describe('fields before and after', () => {
  it('are kept where they differ, whatever the order of their keys', () => {
    expect(differingFields({ a: 1, b: { x: 1, y: [2] }, c: null }, { c: undefined, b: { y: [2], x: 1 }, a: 2, d: 'new' })).toEqual({ before: { a: 1, d: null }, after: { a: 2, d: 'new' } });
  });

  it('are all kept of something that was made or removed', () => {
    expect(differingFields(null, { a: 1 })).toEqual({ before: null, after: { a: 1 } });
    expect(differingFields({ a: 1 }, null)).toEqual({ before: { a: 1 }, after: null });
  });

  it('keep amounts and moments exactly, and long texts by their beginning', () => {
    const fields = storableFields({ amount: 10_000_000_000_000_000_001n, at: new Date(0), list: [1n], text: 'x'.repeat(2_000), gone: undefined })!;
    expect(fields).toEqual({ amount: '10000000000000000001', at: '1970-01-01T00:00:00.000Z', list: ['1'], text: `${'x'.repeat(1_000)}… (2000 characters)` });
  });
});

describe('a cursor', () => {
  it('is read as it was written, and anything else is none', () => {
    const place = { atMicros: '1700000000000001', organizationId: '01890000-0000-7000-8000-000000000001', seq: '17' };
    expect(readCursor(writeCursor(place))).toEqual(place);
    for (const text of ['', 'x', '1.2.3', `${writeCursor(place)}'`, "1700000000000001.01890000-0000-7000-8000-000000000001.17; DROP"]) expect(readCursor(text)).toBeNull();
  });
});
