import { useMemo } from 'react';
import { useViewer } from '../session/viewer.tsx';
import { openPlaces, staffPlaces } from './places.ts';
import { Guarded } from './guarded.tsx';
import { Shell } from './shell.tsx';

export function StaffShell() {
  const { staffPermissions } = useViewer();
  const permissions = useMemo(() => new Set(staffPermissions), [staffPermissions]);
  const groups = useMemo(() => openPlaces(staffPlaces, permissions), [permissions]);
  return (
    <Shell base="/staff" groups={groups}>
      <Guarded base="/staff" all={staffPlaces} permissions={permissions} />
    </Shell>
  );
}
