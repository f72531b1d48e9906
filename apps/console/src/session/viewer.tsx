import { useQuery } from '@apollo/client/react';
import { createContext, use, type ReactNode } from 'react';
import { Navigate, useLocation } from 'react-router';
import { Center, Loader } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { ViewerDocument } from '../graphql/generated/viewer.ts';
import type { ViewerQuery } from '../graphql/generated/types.ts';
import { ErrorState } from '../components/states.tsx';

export type Viewer = NonNullable<ViewerQuery['viewer']>;
export type OrganizationName = Viewer['memberships'][number]['organization'];

const ViewerContext = createContext<Viewer | null>(null);

export const useViewer = (): Viewer => {
  const viewer = use(ViewerContext);
  if (!viewer) throw new Error('useViewer outside of SignedIn');
  return viewer;
};

/** Pages below are for people who are signed in; others are sent to the sign-in and come back afterwards. */
export function SignedIn({ children }: { readonly children: ReactNode }) {
  const { t } = useTranslation();
  const { data, error, refetch } = useQuery(ViewerDocument, { fetchPolicy: 'cache-first' });
  const { pathname, search } = useLocation();
  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!data) return <Waiting label={t('common.loading')} />;
  if (!data.viewer) return <Navigate replace to={`/sign-in?next=${encodeURIComponent(pathname + search)}`} />;
  return <ViewerContext value={data.viewer}>{children}</ViewerContext>;
}

export function Waiting({ label }: { readonly label: string }) {
  return (
    <Center mih="50vh" role="status" aria-label={label}>
      <Loader size="sm" type="dots" />
    </Center>
  );
}

export const useStaffMay = (permission: string): boolean => useViewer().staffPermissions.includes(permission);
