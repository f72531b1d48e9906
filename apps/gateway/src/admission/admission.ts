import type { Holding, HoldingService } from '@kilotoken/funding';
import type { LimitHold } from '../request/limit-hold.js';
import type { Claim } from './idempotency.service.js';

/**
 * One request's admission: the claim of its idempotency key, its hold and its reservation under limits. Each part is set as soon as the
 * request has it, and `undo` is the one way to give them back, wherever the request broke:
 *
 *   begin → claim → hold, reservation → handOver → (settled, or abandoned by the relay)
 */
export class Admission {
  holding: Holding | null = null;
  limits: LimitHold | null = null;
  private abandon: (() => boolean) | null = null;

  constructor(
    readonly organizationId: string,
    /** Null of a request without an idempotency key. */
    readonly claim: Claim | null,
    private readonly holdings: Pick<HoldingService, 'release'>,
  ) {}

  /**
   * From here on the relay settles the hold and the reservation. `abandon` ends both if no settlement has begun, and answers whether nothing
   * of the request can ever be billed.
   */
  handOver(abandon: () => boolean): void {
    this.abandon = abandon;
  }

  /** Gives back each part that the request still has, once. The claim stays while something of the request may be billed. Never rejects. */
  async undo(): Promise<void> {
    const isFree = this.abandon === null ? this.giveBack() : this.abandon();
    if (isFree) await this.claim?.release();
  }

  private giveBack(): true {
    const { holding, limits } = this;
    this.holding = null;
    this.limits = null;
    limits?.giveBack();
    if (holding) this.holdings.release(this.organizationId, holding);
    return true;
  }
}
