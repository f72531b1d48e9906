import {
  cancelWait,
  createWallet,
  receiveAnswer,
  releaseHold,
  requestHold,
  tickWallet,
  type Ask,
  type AskAnswer,
  type BurnRank,
  type Hold,
  type LeaseGranted,
  type Wallet,
  type WalletEffect,
} from '@kilotoken/funding';

/** One wallet in the hands of a test, which is the database and the clock. */
export const limits = { floorWaitMs: 1_000, floorWaiters: 3, idleLeaseMs: 5_000, idleLeaseNearFloorMs: 250, askAgainMs: 100 };
const anyRank: BurnRank = { priority: 100, expiresAtMs: null, promotional: false, effectiveAtMs: 0, createdAtMs: 0 };
export const plenty = 1_000_000n;

interface Asked {
  want: bigint;
  least?: bigint;
  model?: string;
  remainder?: boolean;
}

export const lease = (id: string, slice: bigint, { models = null, ...rank }: Partial<BurnRank> & { models?: string[] | null } = {}): LeaseGranted => ({
  leaseId: id,
  grantId: `grant of ${id}`,
  slice,
  models,
  rank: { ...anyRank, ...rank },
});

/** What grants hold after an ask: `available`, these leases, and what others have leased of them. */
export const answer = (leases: readonly LeaseGranted[], available = plenty, elsewhere = 0n, before = 0n): AskAnswer => ({
  leases,
  available,
  leased: before + elsewhere + leases.reduce((sum, { slice }) => sum + slice, 0n),
});

/** Drives one wallet: ids count up by themselves, as the minter makes them. */
export class WalletDriver {
  readonly wallet: Wallet = createWallet(limits, 0);
  nowMs = 0;
  private minted = 0;

  private mint(what: string): string {
    return `${what}-${String((this.minted += 1)).padStart(4, '0')}`;
  }

  request({ want, least = want, model = 'mock', remainder = false }: Asked): WalletEffect[] {
    return requestHold(this.wallet, { id: this.mint('request'), model, want, least, remainder }, this.mint('ask'), this.nowMs);
  }

  answer(given: AskAnswer): WalletEffect[] {
    return receiveAnswer(this.wallet, given, this.nowMs);
  }

  tick(afterMs: number): WalletEffect[] {
    this.nowMs += afterMs;
    return tickWallet(this.wallet, this.mint('ask'), this.nowMs);
  }

  release(hold: Hold, charge: bigint): WalletEffect[] {
    return releaseHold(this.wallet, hold, charge, this.nowMs);
  }

  /** A hold that the leases here cover. */
  hold(asked: Asked): Hold {
    const [first] = this.request(asked);
    if (first?.kind !== 'admitted') throw new Error(`not admitted: ${first?.kind}`);
    return first.hold;
  }
}

/** A wallet that has these leases, all of them free. */
export const driverWith = (leases: readonly LeaseGranted[], available = plenty): WalletDriver => {
  const driver = new WalletDriver();
  driver.request({ want: 1n });
  cancelWait(driver.wallet, 'request-0001');
  driver.answer(answer(leases, available));
  return driver;
};

export const kinds = (effects: readonly WalletEffect[]): string[] =>
  effects.map((effect) => (effect.kind === 'refused' ? `${effect.id} ${effect.reason}` : effect.kind === 'admitted' ? `${effect.hold.id} holds ${effect.hold.total}` : 'ask'));
export const askOf = (effects: readonly WalletEffect[]): Ask | undefined => effects.find((effect) => effect.kind === 'ask')?.ask;
export const parts = (hold: Hold): [string, bigint][] => hold.parts.map(({ lease: { id }, amount }) => [id, amount]);
