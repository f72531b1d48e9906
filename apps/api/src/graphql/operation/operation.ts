import { isIP } from 'node:net';
import { decide, permissionsOf, reachOfParent, isStaffRole, type CustomerPermission, type Permission, type StaffPermission, type Viewer } from '@kilotoken/access';
import { AppError, type Actor } from '@kilotoken/platform';
import { answering, forbidden, invalidInput, notFound, type AnyProblem } from '../shapes/problem.type.js';
import { Changes, type ChangeAccess } from './changes.js';
import { Reading, type OpenRead } from './reading.js';

/** Read-only transactions of the api's role. */
export interface ReadAccess {
  /** Rows of these organizations alone. */
  readonly asOrganizations: (organizationIds: readonly string[]) => OpenRead;
  /** Rows of all organizations, without secrets; recorded as staff's. */
  readonly asStaff: OpenRead;
}

/** The one who asks, and the session that they ask in; null: a token, or nobody. */
export interface Asking {
  readonly viewer: Viewer | null;
  readonly sessionId: string | null;
}

export interface Caller {
  readonly requestId: string;
  readonly ip: string;
}

/** One operation: its viewer, its authorization and its reads. Every resolver asks here whether it may. */
export class Operation {
  private tenant: Reading | null = null;
  private staff: Reading | null = null;
  private readonly readAsStaff = new Set<string>();
  private ended = false;

  constructor(
    private asking: Asking,
    readonly caller: Caller,
    private readonly access: ReadAccess,
    private readonly changes: ChangeAccess,
    private readonly askAgain: () => Promise<Asking>,
  ) {}

  get viewer(): Viewer | null {
    return this.asking.viewer;
  }

  get sessionId(): string | null {
    return this.asking.sessionId;
  }

  /** Looks up anew who asks, for what lasts longer than an answer. */
  async renew(): Promise<void> {
    this.asking = await this.askAgain();
  }

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

  /** Throws a refusal where neither the organization's own people nor the staff may. */
  requireEither(own: CustomerPermission, staff: StaffPermission, organizationId: string): void {
    if (!this.allows(staff, null) && !this.allows(own, organizationId)) throw this.refusal(organizationId, own, staff);
  }

  allows(permission: Permission, organizationId: string | null): boolean {
    return this.viewer !== null && decide(this.viewer, permission, organizationId) === 'allowed';
  }

  /** The reads of something that an organization's own people see with one permission, and staff with another. */
  readingOf(organizationId: string, own: CustomerPermission, staff: StaffPermission): Reading {
    if (this.allows(own, organizationId)) return this.tenantReading();
    if (this.allows(staff, null)) {
      this.readAsStaff.add(organizationId);
      return this.staffReading();
    }
    throw this.refusal(organizationId, own, staff);
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

  /**
   * Runs a mutation in the viewer's name. A refusal is answered as data. Inside `run`, ask for permission first: a key that was used before
   * answers without doing anything, but only to those who still may.
   */
  change<Success>(name: string, input: { readonly idempotencyKey?: string | null }, run: (changes: Changes) => Promise<Success>): Promise<Success | AnyProblem> {
    return answering(() => {
      const key = input.idempotencyKey ?? null;
      if (key !== null && !/^[\x21-\x7e]{1,200}$/.test(key)) throw invalidInput('idempotencyKey', 'up to 200 visible characters are needed');
      return run(new Changes(this.changes, this.actor(name), { key, operation: name, input }, () => this.endReads()));
    });
  }

  /** The viewer as changes are recorded. */
  actor(action: string): Actor {
    const { kind, id, impersonating } = this.signedIn;
    const { requestId, ip } = this.caller;
    return { kind, id, name: null, act: { action, requestId, ...(isIP(ip) === 0 ? {} : { ip }), ...(impersonating === null ? {} : { onBehalfOf: impersonating }) } };
  }

  /** Ends the operation. Whoever of the staff read something of an organization stands in its audit log before the answer leaves. */
  async finish(name: string | null): Promise<void> {
    const impersonating = this.viewer?.impersonating ?? null;
    const read = impersonating !== null && this.tenant !== null ? [impersonating] : [...this.readAsStaff];
    await this.close();
    if (read.length > 0 && this.viewer) await this.changes.readLog.record(this.viewer.id, read, name ?? 'an operation without a name', this.actor(impersonating === null ? 'staff.read' : 'impersonation.read'));
  }

  /** Throws for a token that was given a part of its role: it must not give away the whole. */
  requireWhole(permission: Permission): void {
    if (this.signedIn.permissions !== null) throw forbidden(permission);
  }

  /**
   * Ends the operation's reads. Later ones are refused: where one field fails, GraphQL answers while its neighbours still resolve, and nobody would end the
   * transaction that one of these begins.
   */
  async close(): Promise<void> {
    this.ended = true;
    await this.endReads();
  }

  /** Lets a subscription read for its next event. */
  reopen(): void {
    this.ended = false;
  }

  /** Ends the read transactions. Later reads begin new ones, which see everything that was committed before. */
  private async endReads(): Promise<void> {
    const readings = [this.tenant, this.staff];
    this.tenant = null;
    this.staff = null;
    for (const reading of readings) await reading?.close();
  }

  private refusal(organizationId: string, own: CustomerPermission, staff: StaffPermission): AppError {
    const isStranger = decide(this.signedIn, own, organizationId) === 'not_found';
    if (isStranger && decide(this.signedIn, staff, null) === 'not_found') return notFound();
    return forbidden(isStranger ? staff : own);
  }

  private tenantReading(): Reading {
    return (this.tenant ??= this.begin(this.access.asOrganizations(this.visibleOrganizationIds())));
  }

  private staffReading(): Reading {
    return (this.staff ??= this.begin(this.access.asStaff));
  }

  private begin(open: OpenRead): Reading {
    if (this.ended) throw new Error('the operation has ended');
    return new Reading(open);
  }
}
