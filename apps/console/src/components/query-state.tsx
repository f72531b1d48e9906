import type { OperationVariables, TypedDocumentNode } from '@apollo/client';
import { useQuery } from '@apollo/client/react';
import { Skeleton, Stack } from '@mantine/core';
import type { ReactNode } from 'react';
import { ErrorState } from './states.tsx';

interface QueryProps<Answer, Variables extends OperationVariables> {
  readonly document: TypedDocumentNode<Answer, Variables>;
  readonly variables: Variables;
  readonly pollMs?: number;
  readonly skeleton?: ReactNode;
  readonly children: (answer: Answer) => ReactNode;
}

/** Shows an answer, and until then its outline or why there is none. */
export function Query<Answer, Variables extends OperationVariables>({ document, variables, pollMs = 0, skeleton, children }: QueryProps<Answer, Variables>) {
  const { data, error, refetch } = useQuery(document as TypedDocumentNode<Answer, OperationVariables>, { variables, pollInterval: pollMs });
  if (data !== undefined) return children(data as Answer);
  if (error) return <ErrorState error={error} onRetry={() => void refetch()} />;
  return skeleton ?? <Lines />;
}

const Lines = () => (
  <Stack gap="sm" p="md" aria-busy="true">
    <Skeleton height={14} width="60%" />
    <Skeleton height={14} width="80%" />
    <Skeleton height={14} width="40%" />
  </Stack>
);
