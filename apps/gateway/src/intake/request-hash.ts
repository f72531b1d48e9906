import { createHash } from 'node:crypto';
import type { Operation } from '../request/operation.js';

/** Over the bytes as they came: an SDK's retry sends the same ones. The operation is in it, since an idempotency key is for one request. */
export const hashRequest = (operation: Operation, body: Uint8Array): Buffer => createHash('sha256').update(operation).update('\0').update(body).digest();
