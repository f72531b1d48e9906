import { type StreamState, takeGenerated } from '@kilotoken/openai';
import type { TokenCounts } from '@kilotoken/contracts';
import type { TokenCounter } from './token-counter.service.js';

/** From here on the text of an answer is counted and forgotten, so that a long answer keeps little more than this: half of a job's length. */
export const absorbedLengthMin = 32_768;

/** One run of text that grows: its certain words are counted once, and only its last word is kept. */
class RunningCount {
  private tokens = 0;
  private tail = '';
  private advancing: Promise<void> | null = null;

  constructor(
    private readonly counter: TokenCounter,
    private readonly tokenizer: string,
    private readonly tenant: string,
  ) {}

  isBusy(): boolean {
    return this.advancing !== null;
  }

  /** Not while it is busy. */
  add(text: string): void {
    if (text === '') return;
    const whole = this.tail + text;
    const counted = this.counter.advance(this.tokenizer, whole, this.tenant);
    const apply = ({ tokens, end }: { tokens: number; end: number }): void => {
      this.tokens += tokens;
      this.tail = whole.slice(end);
      this.advancing = null;
    };
    if (counted instanceof Promise) this.advancing = counted.then(apply);
    else apply(counted);
  }

  /** Without what is being counted. Of a last word that is endless, as Han can be, only what can be counted at once. */
  known(): number {
    return this.tokens + this.counter.countNow(this.tokenizer, this.tail);
  }

  total(): number | Promise<number> {
    const tail = this.counter.count(this.tokenizer, [this.tail], Infinity, this.tenant);
    return typeof tail === 'number' ? this.tokens + tail : tail.then((tokens) => this.tokens + tokens);
  }

  async settled(): Promise<void> {
    await this.advancing;
  }
}

/** OpenAI speaks 20 tokens a second, and streams PCM of 48,000 bytes a second. */
const audioBytesPerToken = 2_400;

interface ChoiceCount {
  readonly output: RunningCount;
  readonly reasoning: RunningCount;
}

/** Counts an answer as it comes, off the event loop where it is long, and lets go of its text. */
export class AnswerMeter {
  private readonly choices = new Map<number, ChoiceCount>();

  constructor(
    private readonly counter: TokenCounter,
    private readonly tokenizer: string,
    private readonly tenant: string,
  ) {}

  /** Takes the text out of the state to count it. While a thread counts, text waits in the state, whose length is bounded. */
  take(state: StreamState): void {
    if (state.keptLength === 0 || this.isBusy()) return;
    for (const [index, { text, reasoning }] of takeGenerated(state)) {
      const choice = this.choice(index);
      choice.output.add(text);
      choice.reasoning.add(reasoning);
    }
  }

  /** The counts that are known at once; the rest of the received text is counted for the next call. */
  soFar(state: StreamState): TokenCounts {
    this.take(state);
    return countsOf(state, [...this.choices.values()].map(({ output, reasoning }) => [output.known(), reasoning.known()]));
  }

  /** All of it, at the end. */
  total(state: StreamState): TokenCounts | Promise<TokenCounts> {
    this.take(state);
    if (this.isBusy()) return this.totalLater(state);
    const totals = this.runs().map((run) => run.total());
    if (totals.every((total) => typeof total === 'number')) return countsOf(state, inPairs(totals));
    return Promise.all(totals.map(async (total) => total)).then((counted) => countsOf(state, inPairs(counted)));
  }

  private async totalLater(state: StreamState): Promise<TokenCounts> {
    while (this.isBusy()) {
      for (const run of this.runs()) await run.settled();
      this.take(state);
    }
    return countsOf(state, inPairs(await Promise.all(this.runs().map(async (run) => run.total()))));
  }

  private choice(index: number): ChoiceCount {
    const known = this.choices.get(index);
    if (known) return known;
    const run = (): RunningCount => new RunningCount(this.counter, this.tokenizer, this.tenant);
    const made = { output: run(), reasoning: run() };
    this.choices.set(index, made);
    return made;
  }

  private isBusy(): boolean {
    for (const { output, reasoning } of this.choices.values()) if (output.isBusy() || reasoning.isBusy()) return true;
    return false;
  }

  /** The output and the reasoning of each choice in turn. */
  private runs(): RunningCount[] {
    return [...this.choices.values()].flatMap(({ output, reasoning }) => [output, reasoning]);
  }
}

const inPairs = (counts: readonly number[]): number[][] => counts.flatMap((count, index) => (index % 2 === 0 ? [[count, counts[index + 1]!]] : []));

/** The sum over all choices, and what was spoken. */
const countsOf = ({ audioLength }: StreamState, choices: readonly number[][]): TokenCounts => ({
  output: choices.reduce((sum, [output]) => sum + output!, 0),
  reasoning: choices.reduce((sum, [, reasoning]) => sum + reasoning!, 0),
  ...(audioLength > 0 ? { audio_out: Math.ceil((audioLength * 0.75) / audioBytesPerToken) } : {}),
});
