import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { until } from '../../../../test/support/until.js';
import { openLog, rotatedFilesMax, type Log } from './logging.js';

let folder: string;
let log: Log | null = null;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kilotoken-log-'));
});

afterEach(async () => {
  await log?.close();
  log = null;
  await rm(folder, { recursive: true, force: true });
});

const open = async (sizeBytes?: number): Promise<Log> => (log = await openLog({ name: 'gateway', level: 'info', file: join(folder, 'gateway.log') }, sizeBytes));

const linesOf = async (name: string): Promise<Record<string, unknown>[]> =>
  (await readFile(join(folder, name), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('the log', () => {
  it('a flushed line is in the file, as JSON with name, level and time', async () => {
    const { logger, flush } = await open();
    logger.info({ event: 'request.ended', status: 200 });
    await flush();
    expect(await linesOf('gateway.1.log')).toEqual([
      { level: 'info', time: expect.stringMatching(/Z$/), name: 'gateway', pid: process.pid, event: 'request.ended', status: 200 },
    ]);
  });

  it("a wide event's line, which is made without pino, says what pino would say of it", async () => {
    const { logger, flush } = await open();
    // A child's lines are pino's.
    const byPino = logger.child({});
    const circle: Record<string, unknown> = { event: 'circle' };
    circle['itself'] = circle;
    const odd = [
      circle,
      {},
      { nothing: undefined },
      { error: new TypeError('broken', { cause: new Error('deeper') }) },
      { err: new Error('broken') },
      { at: new Date(0), ratio: Number.NaN, amount: 10n, call: () => 1, deep: { amount: 10n } },
      new Error('bare'),
      Object.assign(Object.create(null) as object, { key: 'hunter2', headers: { 'x-api-key': 'hunter2' } }),
      { level: 'mine', time: 'mine', name: 'mine', msg: 'mine' },
    ];
    const anything = fc.object({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true });
    const events: object[] = [...odd, ...fc.sample(anything, { numRuns: 500, seed: 1 })];
    for (const level of ['info', 'warn', 'error'] as const) {
      for (const event of events) {
        logger[level](event);
        byPino[level](event);
      }
    }
    await flush();
    const lines = await linesOf('gateway.1.log');
    expect(lines).toHaveLength(6 * events.length);
    const withoutTime = ({ time, ...fields }: Record<string, unknown>): Record<string, unknown> => ({ ...fields, time: typeof time });
    for (let index = 0; index < lines.length; index += 2) expect(withoutTime(lines[index]!)).toEqual(withoutTime(lines[index + 1]!));
  });

  it('a process that crashes gets its last lines out without waiting', async () => {
    const { logger, flushNow } = await open();
    logger.info({ event: 'last words' });
    flushNow();
    expect(await linesOf('gateway.1.log')).toHaveLength(1);
  });

  it('the file is readable by its owner alone', async () => {
    await open();
    expect((await stat(join(folder, 'gateway.1.log'))).mode & 0o777).toBe(0o600);
  });

  it('files are rotated by size, and no more are kept than the bound', async () => {
    const sizeBytes = 20_000;
    const { logger, flush } = await open(sizeBytes);
    const filler = 'x'.repeat(1_000);
    for (let round = 0; round < 40; round += 1) {
      for (let line = 0; line < 21; line += 1) logger.info({ event: 'filler', filler });
      await flush();
    }
    // Old files are removed after the new one is open; the last of them perhaps while we look.
    const names = await until('no more are kept than the bound', async () => {
      const found = await readdir(folder);
      return found.length <= rotatedFilesMax + 1 && found;
    });
    expect(names.length).toBeGreaterThan(2);
    const modes = await Promise.all(names.map((name) => stat(join(folder, name)).then(({ mode }) => mode & 0o777, () => null)));
    expect(modes.filter((mode) => mode !== null)).not.toEqual([]);
    expect(modes.filter((mode) => mode !== null && mode !== 0o600)).toEqual([]);
    expect(names).not.toContain('gateway.1.log');
  });

  it('a second start goes on in the newest file', async () => {
    const first = await open();
    first.logger.info({ event: 'first' });
    await first.close();
    const second = await open();
    second.logger.info({ event: 'second' });
    await second.flush();
    expect((await linesOf('gateway.1.log')).map(({ event }) => event)).toEqual(['first', 'second']);
  });

  it('neither a key nor a password gets into the file, by whatever way it comes', async () => {
    const { logger, flush } = await open();
    const secret = `kt_live_${'s3cr3t'.repeat(6)}`;
    const error = Object.assign(new Error(`refused ${secret}`), { headers: { authorization: 'Bearer hunter2' }, cause: new Error(`postgres://app:hunter2@h/d`) });
    logger.info({ headers: { authorization: `Bearer ${secret}` }, deep: { deeper: { key: 'hunter2' } } });
    logger.error({ error }, `it said ${secret}`);
    logger.child({ note: `for ${secret}` }).info('child');
    await flush();
    const text = await readFile(join(folder, 'gateway.1.log'), 'utf8');
    expect(text.trimEnd().split('\n')).toHaveLength(3);
    expect(text).not.toMatch(/s3cr3t|hunter2/);
  });

  it('a folder that is missing is reported when the log is opened', async () => {
    await expect(openLog({ name: 'gateway', level: 'info', file: join(folder, 'missing', 'gateway.log') })).rejects.toThrow('ENOENT');
  });
});
