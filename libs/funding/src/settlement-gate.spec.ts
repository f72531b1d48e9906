import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { admitBehindGate, createSettlementGate, recordFailed, recordStalled, recordStored, settlementGateLimits, whyClosed, whyNotReady, type SettlementGate } from './settlement-gate.js';

const { failuresMax, organizationsMax, pauseMsMin, pauseMsMax, trialMsMax, stallMsMax, provenMs } = settlementGateLimits;
const create = (): SettlementGate => createSettlementGate(settlementGateLimits);

const fail = (gate: SettlementGate, organizationIds: readonly string[], nowMs = 0): void => organizationIds.forEach((id) => recordFailed(gate, id, nowMs));
const times = (count: number, id: string): string[] => Array.from({ length: count }, () => id);

describe('a gateway that stores nothing any more', () => {
  it('closes after so many failures in a row, and says why', () => {
    const gate = create();
    fail(gate, times(failuresMax - 1, 'a'));
    expect([whyNotReady(gate, 0), admitBehindGate(gate, 'a', 0)]).toEqual([null, null]);
    fail(gate, ['a']);
    expect([whyNotReady(gate, 0), admitBehindGate(gate, 'a', 0), admitBehindGate(gate, 'b', 0)]).toEqual(['settlements_fail', 'settlements_fail', 'settlements_fail']);
  });

  it('does not close while something is stored in between', () => {
    const gate = create();
    for (let round = 0; round < 100; round += 1) {
      fail(gate, times(failuresMax - 1, `poison-${round}`));
      recordStored(gate, 'b', 0);
    }
    expect([whyNotReady(gate, 0), admitBehindGate(gate, 'c', 0)]).toEqual([null, null]);
  });

  it('is ready again after a pause, for one request at a time', () => {
    const gate = create();
    fail(gate, times(failuresMax, 'a'));
    expect(whyNotReady(gate, pauseMsMin - 1)).toBe('settlements_fail');
    expect(whyNotReady(gate, pauseMsMin)).toBeNull();
    expect(whyClosed(gate, 'b', pauseMsMin)).toBeNull();
    expect(admitBehindGate(gate, 'b', pauseMsMin)).toBeNull();
    expect([whyNotReady(gate, pauseMsMin), admitBehindGate(gate, 'b', pauseMsMin), admitBehindGate(gate, 'c', pauseMsMin)]).toEqual([null, 'settlements_fail', 'settlements_fail']);
  });

  it('opens for all when the one on trial is stored', () => {
    const gate = create();
    fail(gate, times(failuresMax, 'a'));
    admitBehindGate(gate, 'a', pauseMsMin);
    recordStored(gate, 'a', pauseMsMin + 1);
    for (const id of ['a', 'a', 'b']) expect(admitBehindGate(gate, id, pauseMsMin + 1)).toBeNull();
  });

  it('pauses twice as long when the one on trial fails, up to a bound', () => {
    const gate = create();
    fail(gate, times(failuresMax, 'a'));
    let nowMs = pauseMsMin;
    for (let pauseMs = pauseMsMin * 2; pauseMs < pauseMsMax * 8; pauseMs *= 2) {
      admitBehindGate(gate, 'b', nowMs);
      fail(gate, ['b'], nowMs);
      const untilMs = nowMs + Math.min(pauseMs, pauseMsMax);
      expect([whyNotReady(gate, untilMs - 1), whyNotReady(gate, untilMs)]).toEqual(['settlements_fail', null]);
      nowMs = untilMs;
    }
  });

  it('pauses no longer for what was running when it closed, and fails too', () => {
    const gate = create();
    fail(gate, times(failuresMax + 500, 'a'));
    expect(whyNotReady(gate, pauseMsMin)).toBeNull();
  });

  it('tries another request when the one on trial never settles', () => {
    const gate = create();
    fail(gate, times(failuresMax, 'a'));
    admitBehindGate(gate, 'b', pauseMsMin);
    expect(admitBehindGate(gate, 'c', pauseMsMin + trialMsMax - 1)).toBe('settlements_fail');
    expect(admitBehindGate(gate, 'c', pauseMsMin + trialMsMax)).toBeNull();
  });
});

describe('one organization whose settlements fail', () => {
  it('is stopped alone while others are stored', () => {
    const gate = create();
    recordStored(gate, 'b', 0);
    fail(gate, times(1_000, 'poison'), 1);
    expect([whyNotReady(gate, 1), admitBehindGate(gate, 'b', 1), admitBehindGate(gate, 'c', 1)]).toEqual([null, null, null]);
    expect(admitBehindGate(gate, 'poison', 1)).toBe('settlements_of_organization_fail');
    expect(admitBehindGate(gate, 'poison', 1 + pauseMsMin)).toBeNull();
    expect(admitBehindGate(gate, 'poison', 1 + pauseMsMin)).toBe('settlements_of_organization_fail');
    recordStored(gate, 'poison', 2 + pauseMsMin);
    expect(admitBehindGate(gate, 'poison', 2 + pauseMsMin)).toBeNull();
  });

  it('is stopped although it has others’ settlements between its failures', () => {
    const gate = create();
    for (let round = 0; round < failuresMax; round += 1) {
      fail(gate, ['poison']);
      recordStored(gate, 'b', 0);
    }
    expect([admitBehindGate(gate, 'poison', 0), admitBehindGate(gate, 'b', 0)]).toEqual(['settlements_of_organization_fail', null]);
  });

  it('closes the gateway when nobody else was stored lately: then nobody knows whose fault it is', () => {
    const gate = create();
    recordStored(gate, 'b', 0);
    fail(gate, times(failuresMax, 'a'), provenMs);
    expect(whyNotReady(gate, provenMs)).toBe('settlements_fail');
  });

  it('is no proof of its own: what it had stored before does not keep the gateway open', () => {
    const gate = create();
    recordStored(gate, 'a', 0);
    fail(gate, times(failuresMax, 'a'));
    expect(whyNotReady(gate, 0)).toBe('settlements_fail');
  });
});

it('several organizations that fail in a row close the gateway, whoever was stored before', () => {
  const gate = create();
  for (const id of ['a', 'b', 'c', 'd', 'e']) recordStored(gate, id, 0);
  const failing = Array.from({ length: failuresMax }, (_, index) => `poison-${index % organizationsMax}`);
  fail(gate, failing);
  expect(whyNotReady(gate, 0)).toBe('settlements_fail');
});

it('a flush that is executed again for long closes the gateway until something is stored', () => {
  const gate = create();
  recordStalled(gate, 0);
  recordStalled(gate, stallMsMax - 1);
  expect(admitBehindGate(gate, 'a', stallMsMax - 1)).toBeNull();
  expect([whyNotReady(gate, stallMsMax), admitBehindGate(gate, 'a', stallMsMax)]).toEqual(['settlement_stalls', 'settlement_stalls']);
  recordStored(gate, 'a', stallMsMax);
  expect([whyNotReady(gate, stallMsMax), admitBehindGate(gate, 'a', stallMsMax)]).toEqual([null, null]);
});

describe('whatever happens in whatever order', () => {
  const step = fc.record({ who: fc.constantFrom('a', 'b', 'c', 'd'), what: fc.constantFrom('stored', 'failed', 'asked', 'stalled'), afterMs: fc.nat(20_000) });

  it('a gateway that stores again is open for all but those who fail, and answers of failing settlements are bounded', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const gate = create();
        let nowMs = 0;
        for (const { who, what, afterMs } of steps) {
          nowMs += afterMs;
          if (what === 'stored') recordStored(gate, who, nowMs);
          else if (what === 'failed') recordFailed(gate, who, nowMs);
          else if (what === 'stalled') recordStalled(gate, nowMs);
          else if (whyClosed(gate, who, nowMs) === null) expect(admitBehindGate(gate, who, nowMs)).toBeNull();
          else expect(admitBehindGate(gate, who, nowMs)).not.toBeNull();
        }
        // From here on nothing is stored: however long it goes on, each pause lets one request through.
        let admitted = 0;
        for (let ask = 0; ask < 1_000; ask += 1) {
          nowMs += 100;
          if (admitBehindGate(gate, 'a', nowMs) !== null) continue;
          admitted += 1;
          recordFailed(gate, 'a', nowMs);
        }
        expect(admitted).toBeLessThanOrEqual(failuresMax + Math.ceil((1_000 * 100) / pauseMsMin));
        recordStored(gate, 'b', nowMs);
        for (const id of ['b', 'new']) expect(admitBehindGate(gate, id, nowMs)).toBeNull();
      }),
    );
  });
});
