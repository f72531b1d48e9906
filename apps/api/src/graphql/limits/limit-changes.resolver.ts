import { Args, Context, InputType, Mutation, Resolver } from '@nestjs/graphql';
import { getNoticeSettings, setNotices } from '@kilotoken/events';
import { removeLimit, setLimit, type NewLimit, type StoredLimit } from '@kilotoken/quota';
import type { Changes } from '../operation/changes.js';
import { Operation } from '../operation/operation.js';
import { ChangeInput } from '../shapes/change-input.js';
import { Counts, Exact, Id, Of, optional, Text } from '../shapes/field.js';
import { Done, done, invalidInput, notFound, placeOf, resultUnion } from '../shapes/problem.type.js';
import { alertSettingsOf, budgetsOf, limitsOf } from './limit.resolver.js';
import { AlertSettings, Budget, Limit } from './limit.type.js';

@InputType({ description: 'The one thing that a limit or budget is on.' })
export class LimitSubjectInput {
  @Text('`organization`, `project`, `api_key`, or `end_users`: each end user of the organization alike.')
  readonly kind!: string;

  @Id('The project or key; for the others none.', optional)
  readonly id?: string | null;
}

@InputType({ description: 'A limit. Setting the same one again, by subject, measure and window, changes its amount and mode.' })
export class SetLimitInput extends ChangeInput {
  @Id('The organization.')
  readonly organizationId!: string;

  @Of(() => LimitSubjectInput, 'The thing that it is on.')
  readonly subject!: LimitSubjectInput;

  @Text('`requests`, `tokens`, `input_tokens`, `output_tokens` or `concurrency`.')
  readonly measure!: string;

  @Text('`day`, `week` or `month` of the organization, a span in seconds such as `60s`, or `none` for concurrency.')
  readonly window!: string;

  @Exact('How much: a whole number.')
  readonly amount!: string;

  @Text('`hard` stops, `soft` warns; hard if left out.', optional)
  readonly mode?: string | null;
}
const SetLimitResult = resultUnion('SetLimitResult', Limit);

@InputType({ description: 'The limit to remove.' })
export class RemoveLimitInput extends ChangeInput {
  @Id('The limit.')
  readonly id!: string;
}
const RemoveLimitResult = resultUnion('RemoveLimitResult', Done);

@InputType({ description: 'A budget. Setting the same one again, by subject, unit and period, changes its amount and mode.' })
export class SetBudgetInput extends ChangeInput {
  @Id('The organization.')
  readonly organizationId!: string;

  @Of(() => LimitSubjectInput, 'The thing that it is on.')
  readonly subject!: LimitSubjectInput;

  @Text('A currency, the unit of a package, or `tokens`.')
  readonly unit!: string;

  @Text('`day`, `week` or `month` of the organization.')
  readonly period!: string;

  @Exact('How much.')
  readonly amount!: string;

  @Text('`hard` stops, `soft` warns; hard if left out.', optional)
  readonly mode?: string | null;

  @Counts('The percentages at which the organization is told, at most ten; as before if left out, at first 50, 80 and 100.', optional)
  readonly alertPercents?: number[] | null;
}
const SetBudgetResult = resultUnion('SetBudgetResult', Budget);

@InputType({ description: 'The budget to remove.' })
export class RemoveBudgetInput extends ChangeInput {
  @Id('The budget.')
  readonly id!: string;
}
const RemoveBudgetResult = resultUnion('RemoveBudgetResult', Done);

@InputType({ description: 'A balance below which the organization is told.' })
export class LowBalanceInput {
  @Text('The unit.')
  readonly unit!: string;

  @Exact('The balance, above zero.')
  readonly amount!: string;
}

@InputType({ description: 'Where and when an organization is told of its money. These take the place of all before.' })
export class SetAlertsInput extends ChangeInput {
  @Id('The organization.')
  readonly organizationId!: string;

  @Text('The address that mails go to; none if left out.', optional)
  readonly email?: string | null;

  @Of(() => [LowBalanceInput], 'The balances below which it is told, one a unit.')
  readonly lowBalances!: LowBalanceInput[];
}
const SetAlertsResult = resultUnion('SetAlertsResult', AlertSettings);

const lowBalancesMax = 20;

const subjectOf = (organizationId: string, { kind, id }: LimitSubjectInput): NewLimit['subject'] => {
  const own = (type: 'Project' | 'ApiKey'): string => {
    if (id == null) throw invalidInput('subject.id', 'the id of the subject is needed');
    const place = placeOf(type, id);
    if (place.organizationId !== organizationId) throw notFound();
    return place.id;
  };
  switch (kind) {
    case 'organization':
      return { kind: 'organization' };
    case 'project':
      return { kind: 'project', project: own('Project') };
    case 'api_key':
      return { kind: 'key', keyId: own('ApiKey') };
    case 'end_users':
      return { kind: 'end_user' };
    default:
      throw invalidInput('subject.kind', 'one of organization, project, api_key and end_users is needed');
  }
};

const calendarWindows = ['day', 'week', 'month'] as const;

const windowOf = (path: string, text: string): NewLimit['window'] => {
  if (text === 'none') return null;
  const calendar = calendarWindows.find((kind) => kind === text);
  if (calendar) return calendar;
  const span = /^(\d{1,7})s$/.exec(text);
  if (!span) throw invalidInput(path, 'day, week, month or a span such as 60s is needed');
  return Number(span[1]) * 1_000;
};

const modeOf = (mode: string | null | undefined): NewLimit['mode'] => {
  if (mode == null || mode === 'hard') return 'hard';
  if (mode === 'soft') return 'soft';
  throw invalidInput('mode', 'hard or soft is needed');
};

const set = (changes: Changes, limit: NewLimit): Promise<StoredLimit> => changes.throughClient(limit.organizationId, (client) => setLimit(client, limit));

@Resolver()
export class LimitChangesResolver {
  @Mutation(() => SetLimitResult, { description: 'Sets a limit, in use on every gateway within a second.' })
  setLimit(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: SetLimitInput) {
    return operation.change('setLimit', input, async (changes) => {
      const { id: organizationId } = placeOf('Organization', input.organizationId);
      operation.require('limits.write', organizationId);
      if (input.measure === 'money') throw invalidInput('measure', 'a limit of money is a budget: use setBudget');
      const { id } = await set(changes, {
        organizationId, subject: subjectOf(organizationId, input.subject), measure: input.measure as NewLimit['measure'], window: windowOf('window', input.window), amount: input.amount, mode: modeOf(input.mode),
      });
      return (await limitsOf(operation, organizationId)).find(({ row }) => row.id === id)!.limit;
    });
  }

  @Mutation(() => RemoveLimitResult, { description: 'Removes a limit; it stops nobody any more within a second.' })
  removeLimit(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: RemoveLimitInput) {
    return operation.change('removeLimit', input, async (changes) => {
      const { organizationId, id } = placeOf('Limit', input.id);
      operation.require('limits.write', organizationId);
      if ((await budgetsOf(operation, organizationId)).some((budget) => budget.id === id)) throw notFound();
      await changes.throughClient(organizationId, (client) => removeLimit(client, { organizationId, id }));
      return done;
    });
  }

  @Mutation(() => SetBudgetResult, { description: 'Sets a budget, in use on every gateway within a second.' })
  setBudget(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: SetBudgetInput) {
    return operation.change('setBudget', input, async (changes) => {
      const { id: organizationId } = placeOf('Organization', input.organizationId);
      operation.require('budgets.write', organizationId);
      const period = calendarWindows.find((kind) => kind === input.period);
      if (!period) throw invalidInput('period', 'day, week or month is needed');
      const measured = input.unit === 'tokens' ? { measure: 'tokens' as const } : { measure: 'money' as const, currency: input.unit };
      const { id } = await set(changes, { organizationId, subject: subjectOf(organizationId, input.subject), ...measured, window: period, amount: input.amount, mode: modeOf(input.mode), ...(input.alertPercents == null ? {} : { alertPercents: input.alertPercents }) });
      return (await budgetsOf(operation, organizationId)).find((budget) => budget.id === id)!.budget;
    });
  }

  @Mutation(() => RemoveBudgetResult, { description: 'Removes a budget; it stops nobody any more within a second.' })
  removeBudget(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: RemoveBudgetInput) {
    return operation.change('removeBudget', input, async (changes) => {
      const { organizationId, id } = placeOf('Budget', input.id);
      operation.require('budgets.write', organizationId);
      if (!(await budgetsOf(operation, organizationId)).some((budget) => budget.id === id)) throw notFound();
      await changes.throughClient(organizationId, (client) => removeLimit(client, { organizationId, id }));
      return done;
    });
  }

  @Mutation(() => SetAlertsResult, { description: 'Says where and when an organization is told of its money.' })
  setAlerts(@Context('operation') operation: Operation, @Args('input', { description: 'The change.' }) input: SetAlertsInput) {
    return operation.change('setAlerts', input, async (changes) => {
      const { id: organizationId } = placeOf('Organization', input.organizationId);
      operation.require('alerts.write', organizationId);
      if (input.lowBalances.length > lowBalancesMax) throw invalidInput('lowBalances', `at most ${lowBalancesMax} are needed`);
      if (new Set(input.lowBalances.map(({ unit }) => unit)).size < input.lowBalances.length) throw invalidInput('lowBalances', 'each unit is needed once');
      await changes.throughPool(organizationId, async (pool) => {
        const { thresholds } = await getNoticeSettings(pool, organizationId);
        await setNotices(pool, { organizationId, email: input.email ?? null });
        const gone = thresholds.filter(({ unit }) => !input.lowBalances.some((low) => low.unit === unit));
        for (const { unit } of gone) await setNotices(pool, { organizationId, balanceLow: { unit, threshold: null } });
        for (const { unit, amount } of input.lowBalances) await setNotices(pool, { organizationId, balanceLow: { unit, threshold: amount } });
      });
      return alertSettingsOf(operation, organizationId);
    });
  }
}
