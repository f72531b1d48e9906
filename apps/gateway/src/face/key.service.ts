import { Injectable } from '@nestjs/common';
import type { PollAnswer, SessionService } from '@kilotoken/funding';
import { fingerprintApiKey, parseApiKey } from '@kilotoken/identity';
import type { Pool } from 'pg';
import type { Caller } from '../request/caller.js';
import { Refusal } from '../request/refusal.js';
import { findCaller } from './key.store.js';

const callersMax = 50_000;
const unknownMax = 10_000;
/** A key that was made a moment after it was first tried works this soon. */
const unknownMs = 1_000;
const lookupsMax = 1_000;

const invalidKey = (): Refusal => new Refusal('invalid_api_key', 'Incorrect API key provided. Check it, or create a new one.');

/**
 * Finds a key's caller, from memory if possible. A cached caller was read after the last change that this gateway has seen. A
 * change that the poll reports drops the organization's keys, so revocation takes effect everywhere within a second.
 */
@Injectable()
export class KeyService {
  private readonly callers = new Map<string, Caller>();
  private readonly keysOf = new Map<string, Set<string>>();
  private readonly unknownUntilMs = new Map<string, number>();
  private readonly lookups = new Map<string, Promise<Caller | null>>();

  constructor(
    private readonly pool: Pool,
    private readonly session: SessionService,
  ) {
    session.onPoll(({ changes }) => this.forget(changes));
  }

  /** The caller at once when it is cached. Throws or rejects with a Refusal. */
  authenticate(text: string): Caller | Promise<Caller> {
    const cacheKey = fingerprintApiKey(text);
    const known = cacheKey === null ? undefined : this.callers.get(cacheKey);
    if (known) {
      this.refuseWhenStale();
      return this.admit(known);
    }
    const parsed = parseApiKey(text);
    if (cacheKey === null || !parsed.ok) throw invalidKey();
    this.refuseWhenStale();
    const until = this.unknownUntilMs.get(cacheKey);
    if (until !== undefined && this.session.nowMs() < until) throw invalidKey();
    return this.load(cacheKey, parsed.hash).then((caller) => {
      if (!caller) throw invalidKey();
      return this.admit(caller);
    });
  }

  private refuseWhenStale(): void {
    if (!this.session.isCurrent()) throw new Refusal('service_unavailable', 'Keys cannot be checked at the moment. Try again shortly.');
  }

  private admit(caller: Caller): Caller {
    const nowMs = this.session.nowMs();
    if (caller.revokedAtMs !== null && nowMs >= caller.revokedAtMs) throw invalidKey();
    if (caller.expiresAtMs !== null && nowMs >= caller.expiresAtMs) throw new Refusal('expired_api_key', 'This API key has expired. Create a new one.');
    if (caller.organizationStatus !== 'active') throw new Refusal('invalid_api_key', 'The organization of this API key is suspended.');
    return caller;
  }

  private async load(cacheKey: string, hash: Buffer): Promise<Caller | null> {
    const running = this.lookups.get(cacheKey);
    if (running) return running;
    if (this.lookups.size >= lookupsMax) throw new Refusal('service_unavailable', 'Too many keys are being checked right now. Try again shortly.');
    const lookup = this.lookUp(cacheKey, hash).finally(() => this.lookups.delete(cacheKey));
    this.lookups.set(cacheKey, lookup);
    return lookup;
  }

  private async lookUp(cacheKey: string, hash: Buffer): Promise<Caller | null> {
    const { version } = this.session;
    let caller: Caller | null;
    try {
      caller = await findCaller(this.pool, hash);
    } catch (error) {
      throw new Refusal('service_unavailable', 'Keys cannot be checked at the moment. Try again shortly.', null, { cause: error });
    }
    // A change that came in between may have been read or not: the next request asks again.
    if (this.session.version === version) this.remember(cacheKey, caller);
    return caller;
  }

  private remember(cacheKey: string, caller: Caller | null): void {
    if (!caller) {
      evictOldest(this.unknownUntilMs, unknownMax);
      this.unknownUntilMs.set(cacheKey, this.session.nowMs() + unknownMs);
      return;
    }
    const evicted = evictOldest(this.callers, callersMax);
    if (evicted) this.keysOf.get(evicted[1].organizationId)?.delete(evicted[0]);
    this.callers.set(cacheKey, caller);
    const keys = this.keysOf.get(caller.organizationId);
    if (keys) keys.add(cacheKey);
    else this.keysOf.set(caller.organizationId, new Set([cacheKey]));
  }

  private forget(changes: PollAnswer['changes']): void {
    if (changes === null) {
      this.callers.clear();
      this.keysOf.clear();
      return;
    }
    for (const { organizationId } of changes) {
      if (organizationId === null) continue;
      for (const cacheKey of this.keysOf.get(organizationId) ?? []) this.callers.delete(cacheKey);
      this.keysOf.delete(organizationId);
    }
  }
}

/** Makes room for one more; the first entry of a Map is its oldest. */
const evictOldest = <Value>(cache: Map<string, Value>, sizeMax: number): [string, Value] | null => {
  if (cache.size < sizeMax) return null;
  const oldest = cache.entries().next().value!;
  cache.delete(oldest[0]);
  return oldest;
};
