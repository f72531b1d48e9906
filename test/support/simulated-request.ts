import { allocateCharges, type FundingRequest, type Holding, type Refusal } from '@kilotoken/funding';
import { moneyRounding, type Money } from '@kilotoken/money';
import { ratePortions, type Payer, type Portion } from '@kilotoken/pricing';
import type { UnitCharge, UsageRow } from './simulated-database.js';

export type RequestState = 'waiting' | 'running' | 'settling' | 'ended';

/** How a client sees its request end. `lost`: its gateway died, or is a zombie. */
export type RequestEnd = 'success' | 'refused' | 'left' | 'error' | 'lost';

/** Whole tokens. */
export interface Counts {
  readonly input: number;
  readonly output: number;
}

/** By unit: what a token of each class costs there; a null amount is outside the scope of the unit. */
export type UnitRates = ReadonlyMap<string, Payer['rates']>;

export interface RequestPlan extends FundingRequest {
  readonly rates: UnitRates;
  /** The most that it may count, and the counts of its answer: more where its lane exceeds what it was asked for. */
  readonly bounds: Counts;
  readonly counts: Counts;
  readonly steps: number;
  /** A row that Postgres refuses, whatever is tried. */
  readonly isPoison: boolean;
}

export const nothingCounted: Counts = { input: 0, output: 0 };

/** The weights of tokens in a unit; a class outside its scope costs nothing there. */
export const costIn = (rates: Payer['rates'], { input, output }: Counts): Money => BigInt(input) * (rates.get('input')?.amount ?? 0n) + BigInt(output) * (rates.get('output')?.amount ?? 0n);

/** One request on its way through a gateway, and what is known of it. */
export class SimulatedRequest {
  /** Of its one usage row. */
  readonly usageKey: string;
  state: RequestState = 'waiting';
  end: RequestEnd | null = null;
  refusal: Refusal | null = null;
  holding: Holding | null = null;
  holdIsReleased = false;
  /** How often all its wallets were asked, where it has several. */
  tries = 0;
  stepsDone = 0;
  countsSoFar: Counts = nothingCounted;
  /** The charges of its settlement, by unit of the holding; null until it is made. */
  charges: readonly Money[] | null = null;
  opened = false;
  /** Whether Postgres is known to have a checkpoint. */
  isCheckpointed = false;
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

  /** The lane is done. */
  get isComplete(): boolean {
    return this.stepsDone === this.plan.steps;
  }

  /** The unit that pays what the others leave over, and how much of it is held. */
  get last(): { readonly unit: FundingRequest['units'][number]; readonly held: Money } {
    const { units, runs } = this.holding!;
    const { unit, hold } = units[runs.at(-1)!.of]!;
    return { unit: this.plan.units.find((request) => request.unit === unit)!, held: hold.total };
  }

  advance(): void {
    const { counts, steps } = this.plan;
    this.stepsDone += 1;
    const soFar = (count: number): number => Math.floor((count * this.stepsDone) / steps);
    this.countsSoFar = { input: soFar(counts.input), output: soFar(counts.output) };
  }

  /** By run, in burn order. */
  portionsOf(counts: Counts): Portion[] {
    const { units, runs } = this.holding!;
    const payers = runs.map(({ of, amount }) => ({ unit: units[of]!.unit, rates: this.plan.rates.get(units[of]!.unit)!, rounding: moneyRounding, hold: amount }));
    return ratePortions({ ...counts }, payers);
  }

  /** By unit of the holding. */
  chargesOf(counts: Counts): Money[] {
    const { units, runs } = this.holding!;
    const charges = units.map(() => 0n);
    this.portionsOf(counts).forEach(({ charge }, index) => (charges[runs[index]!.of]! += charge));
    return charges;
  }

  rowFor(counts: Counts): UsageRow {
    const { organizationId, id, isPoison } = this.plan;
    const { units } = this.holding!;
    const charges = isPoison ? units.map(({ hold }) => hold.total + 1n) : this.chargesOf(counts);
    const unitCharges: UnitCharge[] = units.map(({ unit, hold }, of) => ({ unit, hold: hold.total, charge: charges[of]! }));
    const allocations = isPoison ? [] : allocateCharges(this.holding!, charges).flatMap((paid, of) => paid.map((part) => ({ ...part, unit: units[of]!.unit })));
    return { organizationId, id, attempt: 0, counts, charges: unitCharges, allocations, opened: this.opened };
  }
}
