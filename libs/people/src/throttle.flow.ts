import { createHash } from 'node:crypto';
import type { Db } from '@kilotoken/platform';
import { forgiveAttempts, takeAttempts } from './throttle.store.js';

/**
 * Bounds on guessing. An attempt counts for the address that makes it, and for the address together with the account; never for the account alone, so
 * nobody locks somebody else out: from another address the right password opens as ever. Attempts that prove right are given back.
 */
export const attemptsPerAccountMax = 10;
export const attemptsPerAddressMax = 100;
export const attemptWindowMs = 15 * 60_000;

/** Kinds of attempts that do not use up each other. */
export type AttemptKind = 'sign-in' | 'second-factor' | 'reset' | 'invitation';

export interface Attempt {
  readonly kind: AttemptKind;
  readonly address: string;
  /** Lower-case e-mail address; null where the attempt names none. */
  readonly account: string | null;
}

/** Milliseconds to wait before the next attempt; 0: this one may be made. */
export const countAttempt = (signIn: Db, attempt: Attempt): Promise<number> => {
  const keys = keysOf(attempt);
  return takeAttempts(signIn, keys, keys.map((_key, index) => (index === 0 ? attemptsPerAddressMax : attemptsPerAccountMax)), attemptWindowMs);
};

/** The attempt was right: it no longer counts. */
export const forgiveAttempt = (signIn: Db, attempt: Attempt): Promise<void> => forgiveAttempts(signIn, keysOf(attempt));

const keysOf = ({ kind, address, account }: Attempt): Buffer[] => [keyOf(kind, networkOf(address)), ...(account === null ? [] : [keyOf(kind, networkOf(address), account)])];

const keyOf = (...parts: string[]): Buffer => createHash('sha256').update(JSON.stringify(parts)).digest();

/** The owner of one IPv6 address has 2⁶⁴ of them: a network of 64 bits counts as one. */
const networkOf = (address: string): string => {
  if (!address.includes(':') || address.includes('.')) return address;
  const [head = '', tail = ''] = address.split('::');
  const left = head.split(':').filter(Boolean);
  const right = tail.split(':').filter(Boolean);
  const groups = address.includes('::') ? [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right] : left;
  return groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16)).join(':');
};
