/**
 * The jobs of the gateway's worker threads, by name. A thread loads the built form of this file, so it and what it imports
 * stay free of effects: no settings, no connections, no timers. A job keeps nothing between two calls.
 */
import { createHash } from 'node:crypto';

/** SHA-256 over a label and the bytes of a body, as `hashRequest` makes it of small bodies. */
export const digest = ({ label, raw }: { readonly label: string; readonly raw: SharedArrayBuffer }): Uint8Array =>
  Uint8Array.from(createHash('sha256').update(label).update('\0').update(new Uint8Array(raw)).digest());
