import type { DemoRandom } from './random.js';
import type { TraceName } from './traces.js';

/** The customers of the demo's company: their projects and keys, the hours of their work, and their way to pay. Pure. */
export interface DemoKey {
  readonly name: string;
  readonly work: Work;
  /** Its share of its customer's requests. */
  readonly weight: number;
  readonly tags: Readonly<Record<string, readonly string[]>> | null;
}

export interface DemoProject {
  readonly name: string;
  readonly keys: readonly DemoKey[];
}

/** `runs_out`: buys one package and nothing after it. */
export type Funding = 'tops_up' | 'runs_low' | 'runs_out';

export interface Customer {
  readonly slug: string;
  readonly name: string;
  readonly timeZone: string;
  /** Against UTC in winter; close enough for a rhythm. */
  readonly utcOffsetHours: number;
  /** The slug of the customer that it is a part of. */
  readonly parent: string | null;
  /** Its share of all requests. */
  readonly weight: number;
  /** Its requests a day at the end, against those at the beginning. */
  readonly growth: number;
  readonly rhythm: Rhythm;
  /** Of the history's length; 0 is there from the beginning. */
  readonly joinsAt: number;
  readonly projects: readonly DemoProject[];
  readonly funding: Funding;
  readonly hasPack: boolean;
  /** It limits what it may spend in a month. */
  readonly hasBudget: boolean;
}

export type Rhythm = 'office' | 'evening' | 'night';

/** A key's use: its mix of models, the sizes of its requests, and the share of streams. */
export interface Workload {
  readonly models: readonly (readonly [string, number])[];
  readonly trace: TraceName;
  /** The share of its requests that stream. */
  readonly streams: number;
  readonly hasEndUsers: boolean;
}

export const workloads = {
  assistant: { models: [['orion-2-pro', 4], ['orion-2-mini', 3], ['llama-3.3-70b-instruct', 2], ['gpt-oss-120b', 1]], trace: 'azure-2023-conversation', streams: 0.92, hasEndUsers: true },
  support: { models: [['orion-2-pro', 3], ['llama-3.3-70b-instruct', 3], ['orion-2-mini', 2], ['deepseek-v3.1', 2]], trace: 'azure-2023-conversation', streams: 0.6, hasEndUsers: true },
  coding: { models: [['qwen3-coder-480b', 4], ['orion-2-pro', 5], ['deepseek-v3.1', 1]], trace: 'azure-2023-code', streams: 0.95, hasEndUsers: false },
  research: { models: [['orion-2-pro', 6], ['qwen3-235b-a22b', 3], ['deepseek-v3.1', 1]], trace: 'mooncake-conversation', streams: 0.8, hasEndUsers: false },
  extraction: { models: [['llama-3.1-8b-instruct', 6], ['gpt-oss-120b', 4]], trace: 'mooncake-conversation', streams: 0, hasEndUsers: false },
  reasoning: { models: [['qwen3-235b-a22b', 7], ['gpt-oss-120b', 3]], trace: 'azure-2023-conversation', streams: 0.7, hasEndUsers: false },
} as const satisfies Record<string, Workload>;
export type Work = keyof typeof workloads;

const workNames = Object.keys(workloads) as Work[];
const projectNames: Readonly<Record<Work, string>> = { assistant: 'assistant', support: 'help-desk', coding: 'code-review', research: 'research', extraction: 'documents', reasoning: 'agents' };
const teams = ['growth', 'platform', 'data', 'customer-care'] as const;
const features = ['answer', 'summarize', 'search', 'rewrite'] as const;

const companies = [
  'Acorn Analytics', 'Alder & Finch', 'Basalt Robotics', 'Birchwood Legal', 'Blue Harbor Travel', 'Brightline Health', 'Cedar Logistics', 'Cobalt Games', 'Copperfield Press', 'Dovetail Design',
  'Eastgate Insurance', 'Ember Kitchen', 'Fjord Energy', 'Foxglove Pharma', 'Granite Bank', 'Halcyon Schools', 'Harbor Lights Media', 'Indigo Retail', 'Juniper Farms', 'Kestrel Aviation',
  'Kestrel Aviation Parts', 'Lantern Labs', 'Larkspur Homes', 'Maple Mobility', 'Meridian Maps', 'Nimbus Weather', 'Northwind Trading', 'Northwind Trading Asia', 'Opal Cosmetics', 'Orchard Street Foods',
  'Pinecrest Hotels', 'Quarry Steel', 'Ridgeline Outdoors', 'Saffron Travel', 'Silver Birch Care', 'Tidewater Shipping', 'Umber Studios', 'Vesper Audio', 'Willow Learning',
] as const;
/** Subsidiaries, by name. */
const parents: Readonly<Record<string, string>> = { 'Kestrel Aviation Parts': 'kestrel-aviation', 'Northwind Trading Asia': 'northwind-trading' };

const places = [['America/New_York', -5, 5], ['America/Los_Angeles', -8, 4], ['Europe/Berlin', 1, 5], ['Europe/London', 0, 4], ['Asia/Singapore', 8, 3], ['Asia/Shanghai', 8, 3], ['Australia/Sydney', 11, 1]] as const;

/** The customer whose console the demo's people sign in to: it has the richest history, and `npm start` gives it its sign-ins. */
export const demoCustomerSlug = 'demo';

const demoCustomer: Customer = {
  slug: demoCustomerSlug, name: 'Demo', timeZone: 'UTC', utcOffsetHours: 0, parent: null, weight: 0.17, growth: 2.4, rhythm: 'office', joinsAt: 0, funding: 'runs_low', hasPack: true, hasBudget: true,
  projects: [
    { name: 'assistant', keys: [{ name: 'production', work: 'assistant', weight: 40, tags: { team: teams, feature: features } }, { name: 'staging', work: 'assistant', weight: 4, tags: { team: ['platform'] } }] },
    { name: 'help-desk', keys: [{ name: 'production', work: 'support', weight: 22, tags: { team: ['customer-care'], channel: ['chat', 'mail', 'phone'] } }] },
    { name: 'code-review', keys: [{ name: 'editor', work: 'coding', weight: 14, tags: null }, { name: 'continuous-integration', work: 'coding', weight: 6, tags: { team: ['platform'] } }] },
    { name: 'research', keys: [{ name: 'notebook', work: 'research', weight: 14, tags: null }, { name: 'agents', work: 'reasoning', weight: 6, tags: { team: ['data'] } }] },
  ],
};

export const customersMax = companies.length + 1;

const slugOf = (name: string): string => name.toLowerCase().replace(/[^a-z]+/g, '-');

const drawProjects = (random: DemoRandom): DemoProject[] => {
  const works = random.shuffle(workNames).slice(0, random.weighted([[1, 5], [2, 3], [3, 2]]));
  const isTagged = random.chance(0.3);
  return works.map((work, index) => ({
    name: projectNames[work],
    keys: [
      { name: 'production', work, weight: 10 / (index + 1), tags: isTagged ? { team: teams } : null },
      ...(random.chance(0.4) ? [{ name: 'staging', work, weight: 1, tags: null }] : []),
    ],
  }));
};

/** The demo's own customer and, by falling size, the others. */
export const drawCustomers = (random: DemoRandom, count: number): Customer[] => {
  if (count < 1 || count > customersMax) throw new RangeError(`the demo has 1 to ${customersMax} organizations`);
  const sizes = companies.map((_, rank) => 1 / (rank + 3) ** 0.85);
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const shuffled = random.shuffle(sizes);
  const others = companies.map((name, index): Customer => {
    const [timeZone, utcOffsetHours] = random.weighted(places.map((place) => [place, place[2]] as const));
    const parent = parents[name] ?? null;
    const projects = drawProjects(random);
    const weight = ((1 - demoCustomer.weight) * shuffled[index]!) / all;
    return {
      slug: slugOf(name), name, timeZone, utcOffsetHours, parent, weight,
      growth: 0.7 + 2.2 * random.next(),
      rhythm: random.weighted([['office', 6], ['evening', 3], ['night', 1]]),
      joinsAt: random.chance(0.55) ? 0 : random.next() * 0.8,
      // The smallest package lasts a small customer for longer than the history.
      funding: random.weighted([['tops_up', 6], ['runs_low', weight > 0.015 ? 3 : 0], ['runs_out', weight > 0.015 ? 1.5 : 0]]),
      // A pack is for one model: it is bought by customers who use that.
      hasPack: projects.some(({ keys }) => keys.some(({ work }) => work === 'research' || work === 'reasoning')) && random.chance(0.5),
      hasBudget: random.chance(0.2),
      projects,
    };
  });
  // A subsidiary is there from its parent's day on at the earliest.
  const joinsAt = (customer: Customer): number => Math.max(customer.joinsAt, others.find(({ slug }) => slug === customer.parent)?.joinsAt ?? 0);
  return [demoCustomer, ...others.map((customer) => ({ ...customer, joinsAt: joinsAt(customer) }))].slice(0, count);
};
