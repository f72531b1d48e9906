import { useMemo } from 'react';
import { OrganizationScope, useOrganization } from '../session/organization.tsx';
import { openPlaces, organizationPlaces } from './places.ts';
import { Guarded } from './guarded.tsx';
import { Shell } from './shell.tsx';

export function OrganizationShell() {
  return (
    <OrganizationScope>
      <Frame />
    </OrganizationScope>
  );
}

function Frame() {
  const { slug, permissions } = useOrganization();
  const groups = useMemo(() => openPlaces(organizationPlaces, permissions), [permissions]);
  return (
    <Shell base={`/o/${slug}`} groups={groups}>
      <Guarded base={`/o/${slug}`} all={organizationPlaces} permissions={permissions} />
    </Shell>
  );
}
