import type { TokenCounts } from '@kilotoken/contracts';
import { demoModels, firstTokenMs, type DemoModel, type DemoVendor } from './catalogue.js';
import { workloads, type Customer, type DemoKey, type Rhythm } from './customers.js';
import type { DemoRandom } from './random.js';
import { drawShape, type Traces } from './traces.js';

/** A request and its course, before anybody looks at money. Pure. */
export interface Draft {
  /** Indexes: of the customer, and of the key among all keys of its projects. */
  readonly customer: number;
  readonly key: number;
  readonly modelId: string;
  readonly admittedMs: number;
  readonly stream: boolean;
  readonly endUser: string | null;
  readonly tags: Readonly<Record<string, string>> | null;
  /** The bound of its answer that the client set. */
  readonly maxTokens: number;
  readonly promptTokens: number;
  /** The vendor's counts; of an answer that the client left, those until then. */
  readonly counts: TokenCounts;
  readonly outcome: 'completed' | 'client_closed' | 'upstream_failed';
  readonly finishReason: string | null;
  /** The attempts of vendors that failed before the last one, or all of them. */
  readonly failed: readonly FailedAttempt[];
  readonly lane: number;
  readonly dispatchedMs: number;
  readonly firstTokenMs: number | null;
  readonly finishedMs: number;
}

export interface FailedAttempt {
  readonly lane: number;
  readonly dispatchedMs: number;
  readonly finishedMs: number;
  readonly status: number | null;
  readonly code: string;
}

/** A vendor that was down for some hours. */
export interface Outage {
  readonly vendor: DemoVendor;
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface TrafficPlan {
  readonly customers: readonly Customer[];
  readonly startMs: number;
  readonly untilMs: number;
  readonly requests: number;
  readonly outages: readonly Outage[];
}

/** A stretch of time in which requests are drawn together. */
export interface Stretch {
  readonly fromMs: number;
  readonly untilMs: number;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const failureRate = 0.008;
const clientLeaves = 0.018;

/** By the hour of the day, midnight first. */
const hours: Readonly<Record<Rhythm, readonly number[]>> = {
  office: [2, 1, 1, 1, 1, 2, 4, 9, 17, 24, 27, 26, 20, 23, 27, 26, 23, 17, 10, 7, 6, 5, 4, 3],
  evening: [14, 8, 4, 2, 2, 2, 4, 7, 10, 11, 12, 13, 14, 14, 14, 15, 17, 20, 24, 28, 30, 29, 25, 20],
  night: [28, 30, 30, 30, 26, 14, 4, 3, 3, 3, 4, 4, 4, 4, 4, 3, 3, 3, 4, 5, 8, 12, 18, 24],
};
const weekend: Readonly<Record<Rhythm, number>> = { office: 0.22, evening: 1.15, night: 0.8 };

const models = new Map(demoModels.map((model) => [model.id, model]));

/** How many requests an hour a customer makes at a moment, but for a factor that all have in common. */
const intensityAt = (customer: Customer, { startMs, untilMs }: TrafficPlan, atMs: number): number => {
  const progress = (atMs - startMs) / (untilMs - startMs);
  if (progress < customer.joinsAt) return 0;
  const local = new Date(atMs + customer.utcOffsetHours * hourMs);
  const isWeekend = local.getUTCDay() === 0 || local.getUTCDay() === 6;
  return customer.weight * (1 + (customer.growth - 1) * progress) * hours[customer.rhythm][local.getUTCHours()]! * (isWeekend ? weekend[customer.rhythm] : 1);
};

export class Traffic {
  private readonly perUnit: number;
  private readonly moods = new Map<string, number>();
  private readonly keys: readonly (readonly (readonly [number, number])[])[];

  constructor(
    private readonly plan: TrafficPlan,
    private readonly traces: Traces,
    private readonly random: DemoRandom,
  ) {
    let all = 0;
    for (let atMs = plan.startMs + hourMs / 2; atMs < plan.untilMs; atMs += hourMs) for (const customer of plan.customers) all += intensityAt(customer, plan, atMs);
    this.perUnit = plan.requests / all;
    this.keys = plan.customers.map(({ projects }) => projects.flatMap(({ keys }) => keys).map(({ weight }, index) => [index, weight] as const));
  }

  /** Requests a day that a customer is expected to make at a moment. */
  expectedPerDay(customer: Customer, atMs: number): number {
    let perWeek = 0;
    for (let hour = 0; hour < 7 * 24; hour += 1) perWeek += intensityAt(customer, this.plan, Math.min(atMs + hour * hourMs, this.plan.untilMs - 1));
    return (perWeek * this.perUnit) / 7;
  }

  /** The requests of a stretch, in the order of their admission. Those that the history ends before are left out. */
  draw({ fromMs, untilMs }: Stretch): Draft[] {
    const drafts: Draft[] = [];
    this.plan.customers.forEach((customer, index) => {
      const mean = (intensityAt(customer, this.plan, (fromMs + untilMs) / 2) * this.perUnit * this.moodOf(customer, fromMs) * (untilMs - fromMs)) / hourMs;
      if (mean === 0) return;
      for (let count = this.random.poisson(mean); count > 0; count -= 1) {
        const draft = this.drawOne(index, Math.floor(fromMs + this.random.next() * (untilMs - fromMs)));
        if (draft.finishedMs <= this.plan.untilMs) drafts.push(draft);
      }
    });
    return drafts.sort((a, b) => a.admittedMs - b.admittedMs);
  }

  /** Some days are busier than others. */
  private moodOf({ slug }: Customer, atMs: number): number {
    const day = `${slug} ${Math.floor(atMs / dayMs)}`;
    const known = this.moods.get(day) ?? this.random.logNormal(0.18);
    this.moods.set(day, known);
    return known;
  }

  drawOne(customer: number, admittedMs: number): Draft {
    const { random, plan } = this;
    const key = random.weighted(this.keys[customer]!);
    const { work, tags } = plan.customers[customer]!.projects.flatMap(({ keys }) => keys)[key]!;
    const { models: mix, trace, streams, hasEndUsers } = workloads[work];
    const model = models.get(random.weighted<string>(mix))!;
    const shape = drawShape(this.traces, trace, random, model.contextWindow - 4_096, 4_096);
    const isCut = random.chance(0.04);
    const maxTokens = isCut ? shape.outputTokens : [512, 1_024, 2_048, 4_096].find((bound) => bound > shape.outputTokens) ?? 8_192;
    const stream = random.chance(streams);
    const course = this.drawCourse(model, { admittedMs, stream, promptTokens: shape.promptTokens - shape.cachedTokens, outputTokens: shape.outputTokens });
    return {
      customer, key, modelId: model.id, admittedMs, stream, maxTokens,
      endUser: hasEndUsers ? `user-${Math.floor(random.next() ** 2 * 400)}` : null,
      tags: tags && drawTags(tags, random),
      promptTokens: shape.promptTokens,
      counts: course.outcome === 'upstream_failed' ? {} : countsOf(model, shape, Math.max(1, Math.round(shape.outputTokens * course.delivered))),
      finishReason: course.outcome === 'completed' ? (isCut ? 'length' : 'stop') : null,
      ...course,
    };
  }

  private drawCourse(model: DemoModel, { admittedMs, stream, promptTokens, outputTokens }: { admittedMs: number; stream: boolean; promptTokens: number; outputTokens: number }) {
    const { random, plan } = this;
    const failed: FailedAttempt[] = [];
    let atMs = admittedMs + random.between(2, 9);
    for (const [lane, { vendor }] of model.lanes.entries()) {
      const isDown = plan.outages.some((outage) => outage.vendor === vendor && atMs >= outage.fromMs && atMs < outage.untilMs);
      if (!random.chance(isDown ? 0.7 : failureRate)) {
        const firstMs = atMs + Math.round(firstTokenMs[vendor] * random.logNormal(0.3) + promptTokens / 9);
        const wholeMs = firstMs + Math.round(((outputTokens * 1_000) / model.tokensPerSecond) * random.logNormal(0.15));
        const leaves = stream && random.chance(clientLeaves);
        const delivered = leaves ? 0.1 + 0.8 * random.next() : 1;
        return {
          outcome: leaves ? ('client_closed' as const) : ('completed' as const), failed, lane, delivered, dispatchedMs: atMs,
          firstTokenMs: stream ? firstMs : wholeMs, finishedMs: Math.round(firstMs + (wholeMs - firstMs) * delivered) + random.between(2, 20),
        };
      }
      const [status, code, ms] = random.weighted([[[503, 'lane_unavailable', 180] as const, 6], [[429, 'queue_full', 90] as const, 2], [[null, 'upstream_error', 2_000] as const, 2]]);
      failed.push({ lane, dispatchedMs: atMs, finishedMs: atMs + Math.round(ms * random.logNormal(0.4)), status, code });
      atMs = failed.at(-1)!.finishedMs + 1;
    }
    return { outcome: 'upstream_failed' as const, failed, lane: failed.at(-1)!.lane, delivered: 0, dispatchedMs: failed.at(-1)!.dispatchedMs, firstTokenMs: null, finishedMs: atMs };
  }
}

const drawTags = (tags: NonNullable<DemoKey['tags']>, random: DemoRandom): Record<string, string> =>
  Object.fromEntries(Object.entries(tags).map(([name, values]) => [name, random.pick(values)]));

const countsOf = ({ reasoning }: DemoModel, { promptTokens, cachedTokens }: { promptTokens: number; cachedTokens: number }, delivered: number): TokenCounts => {
  const thought = Math.floor(delivered * reasoning);
  const counts = { input: promptTokens - cachedTokens, cached_read: cachedTokens, output: delivered - thought, reasoning: thought };
  return Object.fromEntries(Object.entries(counts).filter(([, tokens]) => tokens > 0));
};
