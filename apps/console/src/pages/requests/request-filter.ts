import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router';
import type { RequestFilter, RequestRowFragment } from '../../graphql/generated/types.ts';

const names = ['model', 'project', 'key', 'outcome', 'from', 'until'] as const;
export type FilterName = (typeof names)[number];

export interface OpenFilter {
  readonly value: RequestFilter;
  readonly isSet: boolean;
  readonly get: (name: FilterName) => string | null;
  readonly set: (name: FilterName, value: string | null) => void;
  readonly clear: () => void;
  /** Whether a row that arrives belongs into the list that is shown. */
  readonly matches: (row: RequestRowFragment) => boolean;
}

const dayStart = (date: string): string => new Date(`${date}T00:00:00`).toISOString();
const dayEnd = (date: string): string => new Date(new Date(`${date}T00:00:00`).getTime() + 86_400_000).toISOString();

/** The list's filter lives in the address, so that it can be sent to a colleague and survives going back. */
export function useRequestFilter(): OpenFilter {
  const [search, setSearch] = useSearchParams();
  const text = search.toString();
  const value = useMemo((): RequestFilter => {
    const read = new URLSearchParams(text);
    const get = (name: FilterName): string | null => read.get(name);
    const [model, project, key, outcome, from, until] = names.map(get);
    return {
      ...(model && { models: [model] }),
      ...(project && { projectId: project }),
      ...(key && { apiKeyId: key }),
      ...(outcome && { outcome }),
      ...(from && { from: dayStart(from) }),
      ...(until && { until: dayEnd(until) }),
    };
  }, [text]);
  const matches = useCallback(
    (row: RequestRowFragment) =>
      (!value.models || value.models.includes(row.model)) &&
      (!value.projectId || value.projectId === row.project?.id) &&
      (!value.apiKeyId || value.apiKeyId === row.apiKey?.id) &&
      (!value.outcome || value.outcome === row.outcome) &&
      !value.until,
    [value],
  );
  const set = (name: FilterName, next: string | null): void => {
    setSearch(
      (current) => {
        if (next === null || next === '') current.delete(name);
        else current.set(name, next);
        return current;
      },
      { replace: true },
    );
  };
  return { value, isSet: Object.keys(value).length > 0, get: (name) => search.get(name), set, clear: () => setSearch({}, { replace: true }), matches };
}
