import { useQuery } from '@apollo/client/react';
import { Building2 } from 'lucide-react';
import { createContext, use, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useParams } from 'react-router';
import { EmptyState, ErrorState } from '../components/states.tsx';
import { OrganizationBySlugDocument } from '../graphql/generated/viewer.ts';
import { useViewer, Waiting, type OrganizationName, type Viewer } from './viewer.tsx';

export interface OpenOrganization extends OrganizationName {
  readonly permissions: ReadonlySet<string>;
}

const OrganizationContext = createContext<OpenOrganization | null>(null);

export const useOrganization = (): OpenOrganization => {
  const organization = use(OrganizationContext);
  if (!organization) throw new Error('useOrganization outside of OrganizationScope');
  return organization;
};

/** Whether the viewer may do this in the open organization. The api decides; pages only leave out what it would refuse. */
export const useMay = (permission: string): boolean => useOrganization().permissions.has(permission);

/** The viewer's own organizations, and the one that staff look at. */
const findOwn = (viewer: Viewer, slug: string): OpenOrganization | null => {
  if (viewer.impersonating?.slug === slug) return { ...viewer.impersonating, permissions: new Set(viewer.impersonating.permissions) };
  const membership = viewer.memberships.find(({ organization }) => organization.slug === slug && organization.kind === 'CUSTOMER');
  return membership ? { ...membership.organization, permissions: new Set(membership.permissions) } : null;
};

export function OrganizationScope({ children }: { readonly children: ReactNode }) {
  const { slug = '' } = useParams();
  const own = findOwn(useViewer(), slug);
  return own ? <OrganizationContext value={own}>{children}</OrganizationContext> : <ReachedOrganization slug={slug}>{children}</ReachedOrganization>;
}

/** A descendant of an own organization, which a parent's billing people may read. */
function ReachedOrganization({ slug, children }: { readonly slug: string; readonly children: ReactNode }) {
  const { t } = useTranslation();
  const { data, error, refetch } = useQuery(OrganizationBySlugDocument, { variables: { slug } });
  if (error && !data) return <ErrorState error={error} onRetry={() => void refetch()} />;
  if (!data) return <Waiting label={t('common.loading')} />;
  if (!data.organization) return <EmptyState icon={Building2} title={t('organization.missing.title')} text={t('organization.missing.text')} />;
  return <OrganizationContext value={{ ...data.organization, permissions: new Set(data.organization.permissions) }}>{children}</OrganizationContext>;
}

interface OrganizationProviderProps {
  readonly organization: OrganizationName;
  readonly children: ReactNode;
}

/** For staff's pages about one organization, in which they have their own permissions and none of the organization's. */
export function OrganizationProvider({ organization, children }: OrganizationProviderProps) {
  return <OrganizationContext value={{ ...organization, permissions: noPermissions }}>{children}</OrganizationContext>;
}

const noPermissions: ReadonlySet<string> = new Set();
