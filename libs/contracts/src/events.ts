import { z } from 'zod';

/**
 * The events of customers, as webhooks carry them: `data` of each kind. Names are snake_case as everywhere on the wire, amounts are
 * decimal strings, moments are UTC. A kind may gain fields; no field is removed or changes its meaning.
 */
const amount = z.string().regex(/^-?\d{1,26}(\.\d{1,12})?$/);
const moment = z.iso.datetime();
const unit = z.string().min(1).max(64);
const id = z.uuid();

const grant = z.object({
  grant_id: id.describe('the grant'),
  unit: unit.describe('a currency, or a pack unit'),
  source: z.string().describe('its source: package, prepaid, promotion, …'),
  reference: z.string().describe('the reference it was issued with, such as an order'),
  amount: amount.describe('the amount, in `unit`'),
  expires_at: moment.nullable().describe('when it ends; null if never'),
});

const key = z.object({
  key_id: id.describe('the key; never the key itself'),
  project_id: id.describe('the project whose requests it authenticates'),
  name: z.string().describe('the name its owner gave it'),
  prefix: z.string().describe('its first characters, by which people recognize it'),
  expires_at: moment.nullable().describe('when it ends; null if never'),
});

const budget = z.object({
  limit_id: id.describe('the limit of the budget'),
  subject_kind: z.string().describe('what it limits: organization, project, key or end_user'),
  subject: z.string().describe('the id of the limited organization, project or key; for end users, the first one to reach the limit'),
  measure: z.string().describe('its measure: money, or tokens of a kind'),
  unit: z.string().describe('the unit of the amount: a currency, or `count`'),
  window: z.string().describe('the span of time that it covers'),
  amount: amount.describe('the budget for one window'),
  window_start: moment.describe('the beginning of the window'),
  window_end: moment.describe('the end of the window'),
});

/** `mailed`: also sent to the organization's notice address. */
interface EventKind<Schema extends z.ZodObject = z.ZodObject> {
  readonly says: string;
  readonly data: Schema;
  readonly mailed: boolean;
  readonly example: z.input<Schema>;
}

const kind = <Schema extends z.ZodObject>(fields: EventKind<Schema>): EventKind<Schema> => fields;

const exampleGrant = {
  grant_id: '019b1c6e-52c0-7a41-9d8e-0c6b2f2f7a10',
  unit: 'USD',
  source: 'prepaid',
  reference: 'order-4711',
  amount: '100',
  expires_at: '2027-01-31T00:00:00.000Z',
};
const exampleKey = {
  key_id: '019b1c70-8d1f-7c55-8a30-5b1d2a7f9e21',
  project_id: '019b1c6d-0f13-7bb0-a6a1-93cf0a4ed5c2',
  name: 'server',
  prefix: 'kt_live_3fJ9',
  expires_at: null,
};
const exampleBudget = {
  limit_id: '019b1c71-2a9b-7d10-b7a4-6e0f5f1f8c33',
  subject_kind: 'key',
  subject: exampleKey.key_id,
  measure: 'money',
  unit: 'USD',
  window: 'month',
  amount: '50',
  window_start: '2026-12-01T00:00:00.000Z',
  window_end: '2027-01-01T00:00:00.000Z',
};

export const eventCatalogue = {
  'grant.issued': kind({ says: 'A grant was issued, so there is more to spend.', data: grant, mailed: false, example: exampleGrant }),
  'grant.low': kind({
    says: 'The balance of a unit fell below the organization\'s threshold. One event for each fall; a rise above the threshold arms it again.',
    data: z.object({
      unit: unit.describe('a currency, or a pack unit'),
      balance: amount.describe('the balance left to spend'),
      threshold: amount.describe('the threshold it fell below'),
    }),
    mailed: true,
    example: { unit: 'USD', balance: '4.9987', threshold: '5' },
  }),
  'grant.exhausted': kind({ says: 'A grant was spent to its last digit.', data: grant, mailed: true, example: exampleGrant }),
  'grant.expired': kind({
    says: 'A grant ended and `amount` of it expired. The part that running requests hold expires when they return it, with an event of its own.',
    data: grant,
    mailed: true,
    example: { ...exampleGrant, amount: '12.5' },
  }),
  'budget.alerted': kind({
    says: 'The use of a budget reached one of its percents: 50, 80 and 100, or those that were set. One event for each percent in a period; a changed amount begins anew.',
    data: budget.extend({
      percent: z.int().min(1).describe('the percent of the amount that was reached'),
      used: amount.describe('what was used of the amount so far'),
    }),
    mailed: true,
    example: { ...exampleBudget, percent: 80, used: '40.0125' },
  }),
  'budget.warned': kind({ says: 'A budget that only warns is used up; requests go on.', data: budget, mailed: true, example: exampleBudget }),
  'budget.reached': kind({ says: 'A budget that stops is used up: requests are refused until its window has room again.', data: budget, mailed: true, example: exampleBudget }),
  'key.created': kind({ says: 'An API key was made.', data: key, mailed: false, example: exampleKey }),
  'key.rolled': kind({
    says: 'An API key was replaced by a new one that may do the same. The new one has its own `key.created`.',
    data: z.object({
      old_key_id: id.describe('the key that ends'),
      old_key_ends_at: moment.nullable().describe('when the old key ends'),
      new_key_id: id.describe('the key in its place'),
      project_id: id.describe('the project of both keys'),
      name: z.string().describe('the name of both keys'),
    }),
    mailed: false,
    example: {
      old_key_id: exampleKey.key_id,
      old_key_ends_at: '2026-12-02T09:30:00.000Z',
      new_key_id: '019b1c99-41aa-7f09-9c02-1d7f00e1b6aa',
      project_id: exampleKey.project_id,
      name: 'server',
    },
  }),
  'key.revoked': kind({ says: 'An API key was ended for good.', data: key, mailed: false, example: exampleKey }),
  'webhook.disabled': kind({
    says: 'A webhook endpoint failed for too long, or answered that it is gone. It gets no events until it is enabled again.',
    data: z.object({
      endpoint_id: id.describe('the endpoint'),
      url: z.string().describe('its address'),
      reason: z.enum(['failing']).describe('the reason'),
      failing_since: moment.describe('the first failure after the last success'),
      disabled_at: moment.describe('when it was disabled'),
    }),
    mailed: true,
    example: {
      endpoint_id: '019b1c75-77e1-7f3c-8f60-2a4f6e7d1b09',
      url: 'https://hooks.example.com/kilotoken',
      reason: 'failing',
      failing_since: '2026-12-01T08:00:00.000Z',
      disabled_at: '2026-12-06T08:00:03.000Z',
    },
  }),
} as const satisfies Record<string, EventKind>;

export type EventName = keyof typeof eventCatalogue;
export const eventNames = Object.keys(eventCatalogue) as EventName[];
export const isEventName = (name: string): name is EventName => Object.hasOwn(eventCatalogue, name);
export const mailedEventNames = eventNames.filter((name) => eventCatalogue[name].mailed);

/** The body of a webhook. `sequence` counts the organization's events without gaps, also those that an endpoint did not ask for. */
export const eventEnvelopeSchema = z.object({
  id: id.describe('the event; the same on every attempt and replay, and the header `webhook-id`'),
  type: z.string().describe('the kind of event'),
  timestamp: moment.describe('the time of its cause'),
  organization_id: id.describe('the organization'),
  sequence: z.int().positive().describe("the event's place among all of the organization's; later ones have larger numbers"),
  data: z.record(z.string(), z.unknown()).describe('the fields of the kind, below'),
});
export type EventEnvelope = z.infer<typeof eventEnvelopeSchema>;
