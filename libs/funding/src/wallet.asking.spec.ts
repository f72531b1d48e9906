import { describe, expect, it } from '@jest/globals';
import { answer, askOf, driverWith, kinds, lease, WalletDriver } from '../../../test/support/wallet-driver.js';

/** How much more than needed a wallet asks for, and when it asks before anybody waits. */
describe('away from the floor', () => {
  it('a spare part is asked for, and doubled up to a bound while asks come often', () => {
    const driver = new WalletDriver();
    const spares: bigint[] = [];
    for (let index = 0; index < 16; index += 1) {
      spares.push(askOf(driver.request({ want: 1n }))!.spare);
      const [first] = driver.answer(answer([lease(`lease-${index}`, 1n)]));
      if (first?.kind === 'admitted') driver.release(first.hold, 1n);
      driver.nowMs += 500;
    }
    expect(spares.slice(0, 4)).toEqual([4n, 8n, 16n, 32n]);
    expect(spares.at(-1)).toBe(1n << 14n);
  });

  it('and halved again when they come seldom', () => {
    const driver = new WalletDriver();
    const spares = [0, 500, 500, 31_000, 31_000, 31_000].map((afterMs, index) => {
      driver.nowMs += afterMs;
      const { spare } = askOf(driver.request({ want: 1n }))!;
      const [first] = driver.answer(answer([lease(`lease-${index}`, 1n)]));
      if (first?.kind === 'admitted') driver.release(first.hold, 1n);
      return spare;
    });
    expect(spares).toEqual([4n, 8n, 16n, 8n, 4n, 4n]);
  });

  it('it asks ahead when a quarter of the last answer is left, so that nobody waits', () => {
    const driver = driverWith([lease('a', 100n)]);
    driver.nowMs = 60;
    expect(kinds(driver.request({ want: 74n }))).toEqual(['request-0003 holds 74']);
    const effects = driver.request({ want: 1n });
    expect(kinds(effects)).toEqual(['request-0005 holds 1', 'ask']);
    expect(askOf(effects)).toMatchObject({ need: 0n, least: 0n, firstUsageId: 'request-0005' });
    expect(askOf(effects)!.spare).toBeGreaterThan(0n);
    driver.nowMs = 120;
    expect(kinds(driver.request({ want: 1n }))).toEqual(['request-0007 holds 1']);
  });

  it('it does not ask ahead more often than every 50 ms, nor for a free model', () => {
    const driver = driverWith([lease('a', 100n)]);
    driver.nowMs = 49;
    expect(kinds(driver.request({ want: 90n }))).toEqual(['request-0003 holds 90']);
    driver.nowMs = 60;
    expect(kinds(driver.request({ want: 0n }))).toEqual(['request-0005 holds 0']);
  });
});

describe('near the floor', () => {
  it('nothing is asked for that nobody waits for', () => {
    const driver = driverWith([lease('a', 100n)], 31n);
    driver.nowMs = 1_000;
    expect(kinds(driver.request({ want: 100n }))).toEqual(['request-0003 holds 100']);
    expect(askOf(driver.request({ want: 5n }))).toMatchObject({ need: 5n, spare: 0n });
  });
});
