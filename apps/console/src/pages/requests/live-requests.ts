import { useSubscription } from '@apollo/client/react';
import { useEffect, useState } from 'react';
import { RequestSettledDocument } from '../../graphql/generated/requests.ts';
import type { RequestRowFragment } from '../../graphql/generated/types.ts';

/** So many are kept beside the list; older ones are in its pages when it is asked for again. */
const KEPT_MAX = 200;

/** Requests that settle while the page is open, newest first. */
export const useLiveRequests = (organizationId: string, matches: (row: RequestRowFragment) => boolean): readonly RequestRowFragment[] => {
  const [rows, setRows] = useState<readonly RequestRowFragment[]>([]);
  useSubscription(RequestSettledDocument, {
    variables: { organizationId },
    onData: ({ data: { data } }) => {
      const row = data?.requestSettled;
      if (row && matches(row)) setRows((known) => [row, ...known.filter(({ id }) => id !== row.id)].slice(0, KEPT_MAX));
    },
  });
  useEffect(() => setRows([]), [organizationId, matches]);
  return rows;
};

/** A list's rows, and before them those that settled since; undefined until the list is there. */
export const withLiveRequests = (live: readonly RequestRowFragment[], rows: readonly RequestRowFragment[] | undefined): readonly RequestRowFragment[] | undefined => {
  if (!rows) return undefined;
  const known = new Set(rows.map(({ id }) => id));
  return [...live.filter(({ id }) => !known.has(id)), ...rows];
};
