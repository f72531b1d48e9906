import { Outlet } from 'react-router';
import { useViewer } from '../session/viewer.tsx';
import { useMemo } from 'react';
import { openPlaces, organizationPlaces, staffPlaces } from './places.ts';
import { Shell } from './shell.tsx';

/** A person's own pages stand beside the menu of the place they most likely came from. */
export function AccountShell() {
  const { memberships, impersonating, staffRole, staffPermissions } = useViewer();
  const own = memberships.find(({ organization }) => organization.kind === 'CUSTOMER');
  const groups = useMemo(
    () => (staffRole && !impersonating ? openPlaces(staffPlaces, new Set(staffPermissions)) : openPlaces(organizationPlaces, new Set(own?.permissions ?? []))),
    [staffRole, impersonating, staffPermissions, own],
  );
  return (
    <Shell base={staffRole ? '/staff' : `/o/${own?.organization.slug ?? ''}`} groups={groups}>
      <Outlet />
    </Shell>
  );
}
