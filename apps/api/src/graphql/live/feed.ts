/** Values for one reader, who may be slow: of those that wait the oldest are dropped. */
export class Feed<Value> implements AsyncIterableIterator<Value> {
  private readonly waiting: Value[] = [];
  private wake: (() => void) | null = null;
  private ended = false;

  constructor(
    private readonly onEnd: () => void,
    private readonly waitingMax = 8,
  ) {}

  put(value: Value): void {
    if (this.ended) return;
    this.waiting.push(value);
    if (this.waiting.length > this.waitingMax) this.waiting.shift();
    this.wake?.();
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.onEnd();
    this.wake?.();
  }

  async next(): Promise<IteratorResult<Value>> {
    while (this.waiting.length === 0 && !this.ended) await new Promise<void>((resolve) => (this.wake = resolve));
    const value = this.waiting.shift();
    return value === undefined ? { value: undefined, done: true } : { value, done: false };
  }

  async return(): Promise<IteratorResult<Value>> {
    this.end();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
