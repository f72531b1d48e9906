import { describe, expect, test } from '@jest/globals';
import { holdingOf } from '@kilotoken/funding';
import type { LimitHold } from '../request/limit-hold.js';
import { Admission } from './admission.js';

const holding = holdingOf('USD', { id: 'request', total: 5n, parts: [] });

/** An admission whose parts write down how they end. */
const admissionWith = (parts: { claim?: boolean; holding?: boolean; limits?: boolean }): { admission: Admission; log: string[] } => {
  const log: string[] = [];
  const claim = { bind: async () => undefined, release: async () => void log.push('claim released') };
  const admission = new Admission('organization', parts.claim ? claim : null, { release: (organizationId, released) => void log.push(`${organizationId}: ${released === holding ? 'hold released' : 'another hold'}`) });
  if (parts.holding) admission.holding = holding;
  const limits: LimitHold = { atMs: 0, outputTokens: 1, headers: () => ({}), end: () => void log.push('limits ended'), giveBack: () => void log.push('limits given back') };
  if (parts.limits) admission.limits = limits;
  return { admission, log };
};

describe('an undone admission', () => {
  test.each<[string, Parameters<typeof admissionWith>[0], string[]]>([
    ['nothing', {}, []],
    ['a claim alone', { claim: true }, ['claim released']],
    ['a hold alone', { holding: true }, ['organization: hold released']],
    ['a reservation whose hold was refused', { limits: true }, ['limits given back']],
    ['all three', { claim: true, holding: true, limits: true }, ['limits given back', 'organization: hold released', 'claim released']],
  ])('gives back %s', async (_name, parts, expected) => {
    const { admission, log } = admissionWith(parts);
    await admission.undo();
    expect(log).toEqual(expected);
  });

  test('gives hold and reservation back once, however often it is undone', async () => {
    const { admission, log } = admissionWith({ holding: true, limits: true });
    await admission.undo();
    await admission.undo();
    expect(log).toEqual(['limits given back', 'organization: hold released']);
  });

  test('leaves hold and reservation to the relay after the handover, and frees the key if nothing can be billed', async () => {
    const { admission, log } = admissionWith({ claim: true, holding: true, limits: true });
    admission.handOver(() => {
      log.push('abandoned');
      return true;
    });
    await admission.undo();
    expect(log).toEqual(['abandoned', 'claim released']);
  });

  test('keeps the key of a request that may be billed', async () => {
    const { admission, log } = admissionWith({ claim: true, holding: true, limits: true });
    admission.handOver(() => false);
    await admission.undo();
    expect(log).toEqual([]);
  });
});
