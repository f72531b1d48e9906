import type { Lane } from '@kilotoken/marketplace';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Pool, type Dispatcher } from 'undici';
import type { Attempt } from './generation.js';
import { createJsonAttempt } from './json.attempt.js';
import { createStreamAttempt } from './stream.attempt.js';

let vendor: Server;
let pool: Pool;
let asked = 0;

beforeAll(async () => {
  vendor = createServer(() => (asked += 1)).listen(0, '127.0.0.1');
  await once(vendor, 'listening');
  pool = new Pool(`http://127.0.0.1:${(vendor.address() as AddressInfo).port}`);
});
afterAll(async () => {
  await pool.destroy();
  vendor.close();
});

const lane = { upstreamModel: 'mock' } as Lane;
const newAttempt = (): Attempt => ({ lane, startedMs: 0, firstTokenMs: null, endedMs: null, upstreamStatus: null, upstreamId: null, errorCode: null });
const dispatch = (handler: Dispatcher.DispatchHandler): boolean => pool.dispatch({ path: '/', method: 'POST', body: 'x' }, handler);

describe('an attempt whose client leaves while its connection is made', () => {
  it('was never started, since the lane is sent nothing of it', async () => {
    const stream = createStreamAttempt(newAttempt(), () => 0, () => null);
    const json = createJsonAttempt(newAttempt(), 1_024, () => 0, () => null);
    for (const { handler, abort } of [stream, json]) {
      dispatch(handler);
      abort();
    }
    expect(await stream.end).toMatchObject({ kind: 'broken' });
    expect(await json.outcome).toMatchObject({ failure: { code: 'upstream_error' } });
    expect([stream.isStarted(), json.isStarted(), asked]).toEqual([false, false, 0]);
  });

  it('is started once the lane was sent it', async () => {
    const stream = createStreamAttempt(newAttempt(), () => 0, () => null);
    dispatch(stream.handler);
    await once(vendor, 'request');
    stream.abort();
    await stream.end;
    expect([stream.isStarted(), asked]).toEqual([true, 1]);
  });
});
