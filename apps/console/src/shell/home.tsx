import { Navigate } from 'react-router';
import { useViewer } from '../session/viewer.tsx';
import { openPlaces, staffPlaces } from './places.ts';

/** Where `/` leads: to the customer's pages that are looked at, the staff's first page, or one's own organization. */
export function Home() {
  const { memberships, impersonating, staffRole, staffPermissions } = useViewer();
  if (impersonating) return <Navigate replace to={`/o/${impersonating.slug}`} />;
  const first = openPlaces(staffPlaces, new Set(staffPermissions))[0]?.places[0];
  if (staffRole && first) return <Navigate replace to={`/staff/${first.path}`} />;
  const own = memberships.find(({ organization }) => organization.kind === 'CUSTOMER');
  return <Navigate replace to={own ? `/o/${own.organization.slug}` : '/profile'} />;
}
