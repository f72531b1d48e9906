import { allocate, type Hold, type Refusal } from '@kilotoken/funding';
import type { Money } from '@kilotoken/money';
import type { UsageRow } from './simulated-database.js';

export type RequestState = 'waiting' | 'running' | 'settling' | 'ended';

/** How a client sees its request end. `lost`: its gateway died, or is a zombie. */
export type RequestEnd = 'success' | 'refused' | 'left' | 'error' | 'lost';

export interface RequestPlan {
  readonly id: string;
  readonly organizationId: string;
  readonly model: string;
  readonly want: Money;
  readonly least: Money;
  /** What the answer turns out to be worth: more than was held where its lane exceeds what it was asked for. */
  readonly worth: Money;
  readonly steps: number;
  /** A row that Postgres refuses, whatever is tried. */
  readonly isPoison: boolean;
}

/** One request on its way through a gateway, and what is known of it. */
export class SimulatedRequest {
  /** Of its one usage row. */
  readonly usageKey: string;
  state: RequestState = 'waiting';
  end: RequestEnd | null = null;
  refusal: Refusal | null = null;
  hold: Hold | null = null;
  holdIsReleased = false;
  stepsDone = 0;
  /** What it is worth so far, never above its hold. */
  chargeSoFar: Money = 0n;
  /** What its settlement charges; null until it is made. */
  charge: Money | null = null;
  opened = false;
  /** The charge of the last checkpoint that Postgres is known to have. */
  checkpointed: Money | null = null;
  checkpointedAtMs: number | null = null;
  settlingSinceMs = 0;

  constructor(
    readonly plan: RequestPlan,
    readonly startedAtMs: number,
  ) {
    this.usageKey = `${plan.organizationId}/${plan.id}/0`;
  }

  get id(): string {
    return this.plan.id;
  }

  advance(): void {
    const { worth, steps } = this.plan;
    this.stepsDone += 1;
    const soFar = (worth * BigInt(this.stepsDone)) / BigInt(steps);
    this.chargeSoFar = soFar < this.hold!.total ? soFar : this.hold!.total;
  }

  rowFor(charge: Money): UsageRow {
    const { organizationId, id, isPoison } = this.plan;
    const hold = this.hold!;
    const row = { organizationId, id, attempt: 0, hold: hold.total, opened: this.opened };
    return isPoison ? { ...row, charge: hold.total + 1n, allocations: [] } : { ...row, charge, allocations: allocate(hold, charge) };
  }
}
