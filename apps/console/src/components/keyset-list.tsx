import { useQuery } from '@apollo/client/react';
import type { OperationVariables, TypedDocumentNode } from '@apollo/client';
import { useCallback, useState, type ReactNode } from 'react';
import { DataTable, type Column } from './data-table.tsx';
import { ErrorState } from './states.tsx';

export interface Connection<Row> {
  readonly nodes: readonly Row[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

interface KeysetQuery<Answer, Variables extends OperationVariables, Row> {
  readonly document: TypedDocumentNode<Answer, Variables>;
  readonly variables: Omit<Variables, 'first' | 'after'>;
  readonly connectionOf: (answer: Answer) => Connection<Row> | null | undefined;
  readonly pageSize?: number;
}

export interface KeysetRows<Row> {
  readonly rows: readonly Row[] | undefined;
  readonly error: unknown;
  readonly refetch: () => void;
  readonly more: { readonly load: () => void; readonly loading: boolean } | undefined;
}

const PAGE_SIZE = 50;

/** Pages of a list by their cursors: the first comes by the query, each further one is appended to what is shown. */
export function useKeysetRows<Answer, Variables extends OperationVariables, Row>(query: KeysetQuery<Answer, Variables, Row>): KeysetRows<Row> {
  const { document, connectionOf, pageSize = PAGE_SIZE } = query;
  const first = { ...query.variables, first: pageSize } as unknown as OperationVariables;
  const { data, error, refetch, fetchMore } = useQuery(document as TypedDocumentNode<Answer, OperationVariables>, { variables: first, notifyOnNetworkStatusChange: false });
  const head = data === undefined ? undefined : connectionOf(data as Answer);
  // A first page that came again and ends elsewhere would leave a gap before the pages that followed the old one.
  const identity = `${JSON.stringify(first)} ${head?.pageInfo.endCursor ?? ''}`;
  const [further, setFurther] = useState<{ identity: string; pages: readonly Connection<Row>[] }>({ identity, pages: [] });
  const [loading, setLoading] = useState(false);
  const [moreError, setMoreError] = useState<unknown>(null);

  const pages = head ? [head, ...(further.identity === identity ? further.pages : [])] : [];
  const last = pages.at(-1);

  const load = useCallback(async (): Promise<void> => {
    setLoading(true);
    setMoreError(null);
    try {
      // The cache keeps the first page alone; pages that follow live as long as this list does.
      const answer = await fetchMore({ variables: { after: last?.pageInfo.endCursor }, updateQuery: (previous) => previous });
      const next = connectionOf(answer.data as Answer);
      if (next) setFurther((known) => ({ identity, pages: [...(known.identity === identity ? known.pages : []), next] }));
    } catch (problem) {
      setMoreError(problem);
    } finally {
      setLoading(false);
    }
  }, [connectionOf, fetchMore, identity, last]);

  return {
    rows: head === undefined ? undefined : pages.flatMap(({ nodes }) => nodes),
    error: error ?? moreError,
    refetch: () => {
      setFurther({ identity, pages: [] });
      setMoreError(null);
      void refetch();
    },
    more: last?.pageInfo.hasNextPage ? { load: () => void load(), loading } : undefined,
  };
}

interface KeysetListProps<Answer, Variables extends OperationVariables, Row> extends KeysetQuery<Answer, Variables, Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly keyOf: (row: Row) => string;
  readonly linkOf?: (row: Row) => string;
  readonly empty: ReactNode;
}

export function KeysetList<Answer, Variables extends OperationVariables, Row>({ caption, columns, keyOf, linkOf, empty, ...query }: KeysetListProps<Answer, Variables, Row>) {
  const { rows, error, refetch, more } = useKeysetRows(query);
  if (error && rows === undefined) return <ErrorState error={error} onRetry={refetch} />;
  return (
    <>
      <DataTable caption={caption} columns={columns} rows={rows} keyOf={keyOf} {...(linkOf && { linkOf })} empty={empty} more={more} />
      {error ? <ErrorState error={error} onRetry={refetch} /> : null}
    </>
  );
}
