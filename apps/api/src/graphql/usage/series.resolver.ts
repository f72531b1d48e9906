import { Args, Context, Parent, ResolveField, Resolver } from '@nestjs/graphql';
import { grainOf, readRollupSums, type RollupQuery } from '@kilotoken/rollups';
import { Operation } from '../operation/operation.js';
import type { Reading } from '../operation/reading.js';
import { Organization } from '../organizations/organization.type.js';
import { badInput } from '../shapes/connection.js';
import { readIdOf, type NodeType } from '../shapes/global-id.js';
import { listLabels, listUsedNames } from './series.store.js';
import { seriesOf } from './series.js';
import { Grain, UsageDimension, UsageFilters, UsageSeries, UsageSeriesInput, type UsageTotal } from './series.type.js';

const groupsMaxMax = 50;
const idsMax = 200;

const ownIds = (organizationId: string, type: NodeType, ids: readonly string[] | null | undefined, field: string): string[] | undefined => {
  if (ids == null) return undefined;
  if (ids.length > idsMax) throw badInput(`${field}: at most ${idsMax} ids are needed`);
  return ids.map((id) => {
    const found = readIdOf(type, id);
    if (found?.organizationId !== organizationId) throw badInput(`${field}: ids of the organization's own are needed`);
    return found.id;
  });
};

const groupNames = ({ groupBy, tagKey }: UsageSeriesInput): RollupQuery['groupBy'] => {
  if ((groupBy === UsageDimension.TAG) !== (tagKey != null)) throw badInput('tagKey: it is needed to divide by a tag, and only then');
  if (groupBy == null || groupBy === UsageDimension.UNIT) return [];
  return [groupBy === UsageDimension.TAG ? `tag:${tagKey!}` : groupBy];
};

/** A range of whole sums: rounded outwards to those that are kept. */
const alignedRange = ({ from, until, grain }: UsageSeriesInput, timeZone: string): { from: string; to: string } => {
  const grainMs = grainOf(grain, timeZone) * 60_000;
  return { from: new Date(Math.floor(from.getTime() / grainMs) * grainMs).toISOString(), to: new Date(Math.ceil(until.getTime() / grainMs) * grainMs).toISOString() };
};

@Resolver(() => Organization)
export class OrganizationUsageResolver {
  @ResolveField(() => UsageSeries, { description: 'Its use over time. Sums follow requests by some seconds.' })
  async usageSeries(
    @Context('operation') operation: Operation,
    @Parent() { organizationId, timeZone: ownZone }: Organization,
    @Args('input', { type: () => UsageSeriesInput, description: 'The question.' }) input: UsageSeriesInput,
  ): Promise<UsageSeries> {
    if (input.groupBy === UsageDimension.LANE) operation.require('staff.usage.read', null);
    const reading = operation.readingOf(organizationId, 'usage.read', 'staff.usage.read');
    const groupsMax = input.groupsMax ?? 12;
    if (groupsMax < 1 || groupsMax > groupsMaxMax) throw badInput(`groupsMax: a number from 1 to ${groupsMaxMax} is needed`);
    const timeZone = input.timeZone ?? ownZone;
    const filter = {
      ...(input.filter?.models == null ? {} : { models: input.filter.models }),
      ...(input.filter?.unit == null ? {} : { unit: input.filter.unit }),
      projectIds: ownIds(organizationId, 'Project', input.filter?.projectIds, 'filter.projectIds'),
      apiKeyIds: ownIds(organizationId, 'ApiKey', input.filter?.apiKeyIds, 'filter.apiKeyIds'),
    };
    const query: RollupQuery = { organizationId, ...alignedRange(input, timeZone), granularity: input.grain, groupBy: groupNames(input), timeZone, filter };
    const rows = await reading.run((db) => readRollupSums(db, query));
    const { points, totals } = seriesOf(rows, input.groupBy ?? null, groupsMax);
    return { grain: input.grain as Grain, points, totals: await labelled(reading, organizationId, input.groupBy ?? null, totals) };
  }

  @ResolveField(() => UsageFilters, { description: 'Names for menus that narrow use.' })
  async usageFilters(@Context('operation') operation: Operation, @Parent() { organizationId }: Organization): Promise<UsageFilters> {
    const rows = await operation.readingOf(organizationId, 'usage.read', 'staff.usage.read').load('used names', null, organizationId, listUsedNames);
    const namesOf = (wanted: string): string[] => rows.flatMap(({ kind, name }) => (kind === wanted ? [name] : []));
    return { models: namesOf('model'), tagKeys: namesOf('tag'), units: namesOf('unit') };
  }
}

const tables: Partial<Record<UsageDimension, 'project' | 'api_key'>> = { [UsageDimension.PROJECT]: 'project', [UsageDimension.API_KEY]: 'api_key' };

const labelled = async (reading: Reading, organizationId: string, groupBy: UsageDimension | null, totals: UsageTotal[]): Promise<UsageTotal[]> => {
  const table = groupBy === null ? undefined : tables[groupBy];
  if (!table) return totals;
  const ids = [...new Set(totals.map(({ group }) => group).filter((group) => /^[0-9a-f-]{36}$/.test(group)))];
  const labels = await reading.run((db) => listLabels(db, organizationId, table, ids));
  return totals.map((total) => ({ ...total, label: labels.get(total.group) ?? total.group }));
};
