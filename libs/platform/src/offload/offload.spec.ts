import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createInlineOffload, createOffload, OffloadError, type Offload, type OffloadOptions } from './offload.js';

/** `gate` blocks its thread until the test opens it, so that order and bounds are seen without a clock. */
const workerSource = `
import { threadId } from 'node:worker_threads';
export const thread = () => threadId;
export const first = (shared) => new Uint8Array(shared)[0];
export const gate = ({ shared, name }) => { Atomics.wait(new Int32Array(shared), 0, 0); return name; };
export const spin = () => { for (;;); };
export const fail = () => { throw new Error('no'); };
export const grow = () => { const all = []; for (;;) all.push(new Array(1e6).fill(all.length)); };
`;

interface Jobs {
  thread(input: null): number;
  first(shared: SharedArrayBuffer): number;
  gate(input: { shared: SharedArrayBuffer; name: string }): string;
  spin(input: null): void;
  fail(input: null): void;
  grow(input: null): void;
}

let folder: string;
let offload: Offload<Jobs>;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-offload-'));
  writeFileSync(join(folder, 'jobs.mjs'), workerSource);
});
afterEach(async () => offload.stop());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const open = (options: Partial<OffloadOptions> = {}): void => {
  const workerFile = pathToFileURL(join(folder, 'jobs.mjs'));
  offload = createOffload<Jobs>({ workerFile, threadsMax: 1, waitingMax: 4, waitingPerTenantMax: 2, jobMsMax: 60_000, heapMbMax: 64, onError: () => undefined, ...options });
};

const faultOf = async (job: Promise<unknown>): Promise<string> => job.then(() => 'none', (error: unknown) => (error instanceof OffloadError ? error.fault : String(error)));

const createGate = () => {
  const shared = new SharedArrayBuffer(4);
  return {
    shared,
    open: () => {
      Atomics.store(new Int32Array(shared), 0, 1);
      Atomics.notify(new Int32Array(shared), 0);
    },
  };
};

describe('offload', () => {
  it('a job runs in another thread and reads shared bytes without a copy', async () => {
    open();
    const shared = new SharedArrayBuffer(1);
    new Uint8Array(shared)[0] = 7;
    expect(await offload.run('thread', null, 'a')).not.toBe(0);
    expect(await offload.run('first', shared, 'a')).toBe(7);
  });

  it('tenants take turns: one tenant’s waiting jobs do not delay another’s first', async () => {
    open();
    const gate = createGate();
    const order: string[] = [];
    const jobs = ['a1', 'a2', 'a3', 'b1'].map((name) => offload.run('gate', { shared: gate.shared, name }, name[0]!).then((done) => order.push(done)));
    gate.open();
    await Promise.all(jobs);
    expect(order).toEqual(['a1', 'a2', 'b1', 'a3']);
  });

  it('the queue is bounded, in all and for each tenant, and takes jobs again once it has room', async () => {
    open({ waitingMax: 3, waitingPerTenantMax: 2 });
    const gate = createGate();
    const wait = (tenant: string) => offload.run('gate', { shared: gate.shared, name: tenant }, tenant);
    const taken = [wait('a'), wait('a'), wait('a')];
    expect(await faultOf(wait('a'))).toBe('full');
    taken.push(wait('b'));
    expect(offload.waiting).toBe(3);
    expect(await faultOf(wait('c'))).toBe('full');
    gate.open();
    await Promise.all(taken);
    expect(await wait('c')).toBe('c');
  });

  it('a job that never ends loses its thread, and the next job gets a new one', async () => {
    open({ jobMsMax: 4_000 });
    const spinning = offload.run('spin', null, 'a');
    const next = offload.run('thread', null, 'b');
    expect(await faultOf(spinning)).toBe('late');
    expect(await next).toBeGreaterThan(0);
  });

  it('a job that fills its heap fails alone', async () => {
    open();
    expect(await faultOf(offload.run('grow', null, 'a'))).toMatch(/memory/i);
    expect(await offload.run('thread', null, 'a')).toBeGreaterThan(0);
  });

  it('what a job throws rejects its run', async () => {
    open();
    expect(await faultOf(offload.run('fail', null, 'a'))).toContain('no');
  });

  it('stopping ends waiting and running jobs', async () => {
    open();
    const [spinning, waiting] = [faultOf(offload.run('spin', null, 'a')), faultOf(offload.run('thread', null, 'a'))];
    await offload.stop();
    expect(await Promise.all([spinning, waiting])).toEqual(['stopped', 'stopped']);
    expect(await faultOf(offload.run('thread', null, 'a'))).toBe('stopped');
  });

  it('the inline form runs the same jobs in this thread', async () => {
    open();
    const inline = createInlineOffload(async () => ({ double: (value: number) => value * 2 }));
    expect(await inline.run('double', 21, 'a')).toBe(42);
  });
});
