import type { StreamState, TokenCounts } from '@kilotoken/contracts';
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

/** Counts an answer as it comes, off the event loop where it is long, and lets go of its text. */
export class AnswerMeter {
  private readonly output: RunningCount;
  private readonly reasoning: RunningCount;

  constructor(counter: TokenCounter, tokenizer: string, tenant: string) {
    this.output = new RunningCount(counter, tokenizer, tenant);
    this.reasoning = new RunningCount(counter, tokenizer, tenant);
  }

  /** Takes the text out of the state to count it. While a thread counts, text waits in the state, whose length is bounded. */
  take(state: StreamState): void {
    if (this.isBusy()) return;
    this.output.add(state.text);
    this.reasoning.add(state.reasoning);
    state.text = '';
    state.reasoning = '';
  }

  /** What is known at once; the rest of what has come is counted meanwhile, for the next time. */
  soFar(state: StreamState): TokenCounts {
    this.take(state);
    return { output: this.output.known(), reasoning: this.reasoning.known() };
  }

  /** All of it, at the end. */
  total(state: StreamState): TokenCounts | Promise<TokenCounts> {
    this.take(state);
    if (this.isBusy()) return this.totalLater(state);
    const [output, reasoning] = [this.output.total(), this.reasoning.total()];
    if (typeof output === 'number' && typeof reasoning === 'number') return { output, reasoning };
    return this.sum(output, reasoning);
  }

  private isBusy(): boolean {
    return this.output.isBusy() || this.reasoning.isBusy();
  }

  private async totalLater(state: StreamState): Promise<TokenCounts> {
    while (this.isBusy()) {
      await this.output.settled();
      await this.reasoning.settled();
      this.take(state);
    }
    return this.sum(this.output.total(), this.reasoning.total());
  }

  private async sum(output: number | Promise<number>, reasoning: number | Promise<number>): Promise<TokenCounts> {
    return { output: await output, reasoning: await reasoning };
  }
}
