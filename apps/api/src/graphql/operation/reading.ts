import type { Db } from '@kilotoken/platform';
import DataLoader from 'dataloader';

/** Runs a function inside one read-only transaction, bound by row-level security to the rows that it may see. */
export type OpenRead = (read: (db: Db) => Promise<void>) => Promise<void>;

type Batch<Key, Value> = (db: Db, keys: readonly Key[]) => Promise<readonly Value[]>;

/** Keys of one statement at most; a page has a hundred. */
const batchKeysMax = 1_000;

/**
 * The reads of one operation in one transaction: it begins with the first of them and ends with the operation, so that an answer is of one
 * database session and costs one set-up. Loads of one kind that are asked for together become one statement.
 */
export class Reading {
  private readonly loaders = new Map<string, DataLoader<unknown, unknown, string>>();
  private opened: Promise<Db> | null = null;
  private done: Promise<void> = Promise.resolve();
  private end: () => void = () => undefined;
  private last: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(private readonly open: OpenRead) {}

  /** `name` and `args` tell kinds of loads apart; `batch` answers a value for each key, in their order. */
  load<Key, Value>(name: string, args: unknown, key: Key, batch: Batch<Key, Value>): Promise<Value> {
    const kind = `${name} ${JSON.stringify(args)}`;
    let loader = this.loaders.get(kind) as DataLoader<Key, Value, string> | undefined;
    if (!loader) {
      loader = new DataLoader<Key, Value, string>((keys) => this.run((db) => batch(db, keys)), { cacheKeyFn: (value) => JSON.stringify(value), maxBatchSize: batchKeysMax });
      this.loaders.set(kind, loader as unknown as DataLoader<unknown, unknown, string>);
    }
    return loader.load(key);
  }

  /** One statement at a time: a connection answers them in turn anyway. */
  run<Result>(read: (db: Db) => Promise<Result>): Promise<Result> {
    if (this.closed) return Promise.reject(new Error('the reads of the operation have ended'));
    const result = this.last.then(async () => read(await this.begin()));
    this.last = result.catch(() => undefined);
    return result;
  }

  /** Ends the transaction. Reads that come later are refused: their connection may serve somebody else by then. */
  async close(): Promise<void> {
    this.closed = true;
    await this.last;
    this.end();
    await this.done;
  }

  private begin(): Promise<Db> {
    this.opened ??= new Promise((resolve, reject) => {
      const ended = new Promise<void>((end) => (this.end = end));
      this.done = this.open(async (db) => {
        resolve(db);
        await ended;
      }).catch((error: unknown) => reject(error as Error));
    });
    return this.opened;
  }
}
