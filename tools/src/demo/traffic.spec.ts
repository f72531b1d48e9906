import { describe, expect, test } from '@jest/globals';
import { completionTokens, promptTokens } from '@kilotoken/contracts';
import { demoModels } from './catalogue.js';
import { customersMax, drawCustomers, type Customer } from './customers.js';
import { DemoRandom } from './random.js';
import { readTraces } from './traces.js';
import { Traffic, type Draft, type Outage } from './traffic.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const startMs = Date.UTC(2026, 7, 3);
const days = 28;
const outage: Outage = { vendor: 'bluegrid', fromMs: startMs + 20 * dayMs + 13 * hourMs, untilMs: startMs + 20 * dayMs + 15 * hourMs };

const drawAll = (seed: number, requests: number): { customers: Customer[]; drafts: Draft[] } => {
  const random = new DemoRandom(seed);
  const customers = drawCustomers(random.fork(), customersMax);
  const traffic = new Traffic({ customers, startMs, untilMs: startMs + days * dayMs, requests, outages: [outage] }, readTraces(), random.fork());
  const drafts: Draft[] = [];
  for (let atMs = startMs; atMs < startMs + days * dayMs; atMs += hourMs) drafts.push(...traffic.draw({ fromMs: atMs, untilMs: atMs + hourMs }));
  return { customers, drafts };
};

const { customers, drafts } = drawAll(1, 6_000);
const share = (of: readonly Draft[], wanted: (draft: Draft) => boolean): number => of.filter(wanted).length / of.length;

describe('the traffic of the demo', () => {
  test('is the same again for the same seed, and another one for another', () => {
    // As texts: comparing so many objects member by member takes half a minute.
    const text = (history: unknown): string => JSON.stringify(history);
    expect(text(drawAll(1, 6_000)) === text({ customers, drafts })).toBe(true);
    expect(text(drawAll(2, 6_000)) === text({ customers, drafts })).toBe(false);
  });

  test('has about as many requests as were asked for, most of them of the customer who signs in', () => {
    expect(drafts.length).toBeGreaterThan(5_400);
    expect(drafts.length).toBeLessThan(6_600);
    const perCustomer = customers.map((_, index) => drafts.filter(({ customer }) => customer === index).length);
    expect(customers[0]!.slug).toBe('demo');
    expect(Math.max(...perCustomer)).toBe(perCustomer[0]);
    expect(perCustomer.filter((count) => count === 0)).toEqual([]);
  });

  test('follows the day, the week and the age of its customers', () => {
    const office = drafts.filter(({ customer }) => customers[customer]!.slug === 'demo');
    const hourOf = ({ admittedMs }: Draft): number => new Date(admittedMs).getUTCHours();
    expect(share(office, (draft) => hourOf(draft) >= 8 && hourOf(draft) < 18)).toBeGreaterThan(0.7);
    expect(share(office, ({ admittedMs }) => [0, 6].includes(new Date(admittedMs).getUTCDay()))).toBeLessThan(0.15);
    for (const [index, { joinsAt }] of customers.entries()) {
      const first = drafts.find(({ customer }) => customer === index)!;
      expect(first.admittedMs).toBeGreaterThanOrEqual(startMs + joinsAt * days * dayMs - hourMs);
    }
  });

  test('ends well nearly always, less often while a vendor is down, and never before it began', () => {
    expect(share(drafts, ({ outcome }) => outcome === 'completed')).toBeGreaterThan(0.95);
    expect(share(drafts, ({ outcome }) => outcome === 'client_closed')).toBeGreaterThan(0.005);
    const during = drafts.filter(({ admittedMs }) => admittedMs >= outage.fromMs && admittedMs < outage.untilMs);
    const usesVendor = ({ modelId }: Draft): boolean => demoModels.find(({ id }) => id === modelId)!.lanes[0]!.vendor === outage.vendor;
    expect(share(during.filter(usesVendor), ({ failed }) => failed.length > 0)).toBeGreaterThan(0.3);
    expect(drafts.filter((draft) => draft.dispatchedMs < draft.admittedMs || draft.finishedMs < draft.dispatchedMs)).toEqual([]);
    expect(drafts.filter(({ failed, finishedMs }) => failed.some((attempt) => attempt.finishedMs > finishedMs))).toEqual([]);
  });

  test('counts whole tokens within what the client and the model allow, and none where nobody answered', () => {
    const wrong = drafts.filter(({ outcome, counts, maxTokens, modelId, promptTokens: prompt }) => {
      const model = demoModels.find(({ id }) => id === modelId)!;
      const isBounded = completionTokens(counts) <= maxTokens && maxTokens <= model.maxOutputTokens && prompt + maxTokens <= model.contextWindow;
      const isWhole = Object.values(counts).every((tokens) => Number.isSafeInteger(tokens) && tokens > 0);
      return !isBounded || !isWhole || promptTokens(counts) !== (outcome === 'upstream_failed' ? 0 : prompt);
    });
    expect(wrong).toEqual([]);
  });
});
