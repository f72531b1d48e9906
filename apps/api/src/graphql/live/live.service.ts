import { Injectable } from '@nestjs/common';
import { AppError, PollLoop, readAs } from '@kilotoken/platform';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { readBalances, type BalanceRow } from '../money/balance.store.js';
import { listRequests, type RequestRow } from '../usage/request.store.js';
import { Feed } from './feed.js';

const pauseMs = 1_500;
const organizationsMax = 200;
const watchersMax = 50;
const requestsPerPollMax = 20;
const unsought = { from: null, until: null, models: null, projectId: null, apiKeyId: null, outcome: null };

/** One poll of an organization: what is new since the one before. */
export interface Tick {
  /** Null: as before. */
  readonly balances: readonly BalanceRow[] | null;
  /** The oldest first. */
  readonly requests: readonly RequestRow[];
}

interface Watched {
  readonly loop: PollLoop;
  readonly feeds: Set<Feed<Tick>>;
  lastId: string | null;
  balances: string;
}

const tooMany = (): AppError => new AppError({ code: 'too_many_subscriptions', kind: 'exhausted', publicMessage: 'Too many subscriptions. Try again later.' });

/** Polls each organization that somebody watches, once for all who do. */
@Injectable()
export class LiveService {
  private readonly watched = new Map<string, Watched>();

  constructor(
    private readonly pool: Pool,
    private readonly logger: Logger,
  ) {}

  /** Answers a tick a poll until the feed is ended; the caller has asked for permission. */
  watch(organizationId: string): Feed<Tick> {
    const known = this.watched.get(organizationId);
    if (!known && this.watched.size >= organizationsMax) throw tooMany();
    const watched = known ?? this.begin(organizationId);
    if (watched.feeds.size >= watchersMax) throw tooMany();
    const feed = new Feed<Tick>(() => this.forget(organizationId, feed));
    watched.feeds.add(feed);
    // A new watcher is told how it stands, not only of the next change.
    watched.balances = '';
    return feed;
  }

  async stop(): Promise<void> {
    const all = [...this.watched.values()];
    for (const { feeds } of all) for (const feed of feeds) feed.end();
    await Promise.all(all.map(({ loop }) => loop.stop()));
  }

  private begin(organizationId: string): Watched {
    const watched: Watched = {
      loop: new PollLoop({ once: () => this.poll(organizationId, watched), onError: (error) => this.logger.warn({ event: 'live.failed', error }) }),
      feeds: new Set(),
      lastId: null,
      balances: '',
    };
    this.watched.set(organizationId, watched);
    watched.loop.start();
    return watched;
  }

  private forget(organizationId: string, feed: Feed<Tick>): void {
    const watched = this.watched.get(organizationId);
    if (!watched?.feeds.delete(feed) || watched.feeds.size > 0) return;
    this.watched.delete(organizationId);
    watched.loop.stop().catch((error: unknown) => this.logger.warn({ event: 'live.failed', error }));
  }

  private async poll(organizationId: string, watched: Watched): Promise<number> {
    const [balances, latest] = await readAs(this.pool, { organizationIds: [organizationId] }, async (db) => {
      const [rows] = await readBalances(db, [organizationId]);
      const [requests] = await listRequests(db, [organizationId], { first: requestsPerPollMax, after: null }, unsought);
      return [rows!, requests!] as const;
    });
    const fresh = watched.lastId === null ? [] : latest.filter(({ id }) => id > watched.lastId!).reverse();
    watched.lastId = latest[0]?.id ?? watched.lastId ?? '';
    const text = JSON.stringify(balances.map(({ now: _, ...row }) => row));
    const isChanged = text !== watched.balances;
    watched.balances = text;
    for (const feed of watched.feeds) feed.put({ balances: isChanged ? balances : null, requests: fresh });
    return pauseMs;
  }
}
