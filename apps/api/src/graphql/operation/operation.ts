import { decide, permissionsOf, reachOfParent, isStaffRole, type CustomerPermission, type Permission, type StaffPermission, type Viewer } from '@kilotoken/access';
import { AppError } from '@kilotoken/platform';
import { forbidden, notFound } from '../shapes/problem.type.js';
import { Reading, type OpenRead } from './reading.js';

/** Read-only transactions of the api's role. */
export interface ReadAccess {
  /** Rows of these organizations alone. */
  readonly asOrganizations: (organizationIds: readonly string[]) => OpenRead;
  /** Rows of all organizations, without secrets; recorded as staff's. */
  readonly asStaff: OpenRead;
}

export interface Caller {
  readonly requestId: string;
  readonly ip: string;
}

/** One operation: its viewer, its authorization and its reads. Every resolver asks here whether it may. */
export class Operation {
  private tenant: Reading | null = null;
  private staff: Reading | null = null;

  constructor(
    readonly viewer: Viewer | null,
    readonly caller: Caller,
    private readonly access: ReadAccess,
  ) {}

  get signedIn(): Viewer {
    if (!this.viewer) throw new AppError({ code: 'sign_in_needed', kind: 'unauthenticated', publicMessage: 'Sign in, or send a service token as a bearer token.' });
    return this.viewer;
  }

  /** Throws a refusal where the viewer may not do this in the organization; null: where it concerns none. */
  require(permission: Permission, organizationId: string | null): void {
    const decision = decide(this.signedIn, permission, organizationId);
    if (decision === 'forbidden') throw forbidden(permission);
    if (decision === 'not_found') throw notFound();
  }

  allows(permission: Permission, organizationId: string | null): boolean {
    return this.viewer !== null && decide(this.viewer, permission, organizationId) === 'allowed';
  }

  /** The reads of something that an organization's own people see with one permission, and staff with another. */
  readingOf(organizationId: string, own: CustomerPermission, staff: StaffPermission): Reading {
    if (this.allows(own, organizationId)) return this.tenantReading();
    if (this.allows(staff, null)) return this.staffReading();
    const isHidden = decide(this.signedIn, own, organizationId) === 'not_found' && decide(this.signedIn, staff, null) === 'not_found';
    throw isHidden ? notFound() : forbidden(decide(this.signedIn, own, organizationId) === 'not_found' ? staff : own);
  }

  /** As `readingOf`; null instead of a refusal. */
  findReadingOf(organizationId: string, own: CustomerPermission, staff: StaffPermission): Reading | null {
    return this.allows(own, organizationId) || this.allows(staff, null) ? this.readingOf(organizationId, own, staff) : null;
  }

  /** The readings in which an organization of the viewer's may be looked up by its slug. */
  organizationReadings(): readonly Reading[] {
    return this.allows('staff.organizations.read', null) ? [this.staffReading()] : [this.tenantReading()];
  }

  /** The reads of the viewer's own person. */
  ownReading(): Reading {
    return this.tenantReading();
  }

  staffReadingFor(permission: StaffPermission): Reading {
    this.require(permission, null);
    return this.staffReading();
  }

  /** Organizations in which the viewer may read anything. */
  visibleOrganizationIds(): readonly string[] {
    const viewer = this.signedIn;
    if (viewer.impersonating !== null) return [viewer.impersonating];
    const reached = viewer.memberships.flatMap(({ organizationId, role, descendantIds }) => [organizationId, ...(reachOfParent(role).size > 0 ? descendantIds : [])]);
    return [...new Set(reached)];
  }

  /** The viewer's permissions in an organization; of staff, those of the company. */
  permissionsIn(organizationId: string): readonly Permission[] {
    const viewer = this.signedIn;
    const roles = viewer.memberships.map(({ role }) => role);
    const candidates = new Set<Permission>(roles.flatMap((role) => [...permissionsOf(role), ...reachOfParent(role)]));
    if (viewer.impersonating !== null) permissionsOf('viewer').forEach((permission) => candidates.add(permission));
    return [...candidates].filter((permission) => this.allows(permission, roles.some(isStaffRole) && permission.startsWith('staff.') ? null : organizationId)).sort();
  }

  async close(): Promise<void> {
    await Promise.all([this.tenant?.close(), this.staff?.close()]);
  }

  private tenantReading(): Reading {
    return (this.tenant ??= new Reading(this.access.asOrganizations(this.visibleOrganizationIds())));
  }

  private staffReading(): Reading {
    return (this.staff ??= new Reading(this.access.asStaff));
  }
}
