import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Controller, Get, Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { pino } from 'pino';
import { exchangeRaw } from '../../../../test/support/raw-http.js';
import { until } from '../../../../test/support/until.js';
import { startApp, type AppDefinition, type RunningApp } from './bootstrap.js';
import type { ProcessSettings } from '../config/config.js';
import { AppError } from '../errors.js';
import type { Log } from '../telemetry/logging.js';

const token = 'a-token-of-24-characters';
const settings: ProcessSettings = { HOST: '127.0.0.1', INTERNAL_TOKEN: token, LOG_LEVEL: 'info', LOG_FILE: undefined, DRAIN_MS: 5_000, TRACE_SAMPLE_RATIO: 0.01 };
const authorized = { authorization: `Bearer ${token}` };

@Controller()
class OrdersController {
  @Get('refused')
  refused(): never {
    throw new AppError({ code: 'order_closed', kind: 'conflict', publicMessage: 'The order is closed.' });
  }

  @Get('broken')
  broken(): never {
    throw new Error('password is hunter2');
  }
}

const shutdown = jest.fn();

@Injectable()
class Resource implements OnApplicationShutdown {
  onApplicationShutdown(): void {
    shutdown();
  }
}

@Module({ controllers: [OrdersController], providers: [Resource] })
class OrdersModule {}

/** A log that keeps its events in memory. */
const createMemoryLog = (): Log & { events: Record<string, unknown>[] } => {
  const events: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => void events.push(JSON.parse(line) as Record<string, unknown>) });
  return { events, logger, flush: async () => undefined, flushNow: () => undefined, close: async () => undefined };
};

/** A stream that the test ends: its first chunk goes out at once. */
const createStreams = () => {
  const ends: (() => void)[] = [];
  const wire: NonNullable<AppDefinition<ProcessSettings>['wire']> = ({ fastify }) => {
    fastify.get('/stream', (_request, reply) => {
      reply.hijack();
      reply.raw.writeHead(200, { 'content-type': 'text/plain' });
      reply.raw.write('first ');
      ends.push(() => reply.raw.end('last'));
    });
    return {};
  };
  return { ends, wire };
};

let running: RunningApp | null = null;
let log = createMemoryLog();

afterEach(async () => {
  await running?.close();
  running = null;
  log = createMemoryLog();
  shutdown.mockClear();
});

const start = async (overrides: Partial<AppDefinition<ProcessSettings>> = {}, drainMs = settings.DRAIN_MS): Promise<string> => {
  const definition: AppDefinition<ProcessSettings> = {
    name: 'orders',
    face: 'public',
    readSettings: () => settings,
    listen: () => ({ port: 0, portSetting: 'ORDERS_PORT', metrics: { port: 0, portSetting: 'ORDERS_METRICS_PORT' } }),
    module: () => OrdersModule,
    ...overrides,
  };
  running = await startApp(definition, { ...settings, DRAIN_MS: drainMs }, log);
  return `http://127.0.0.1:${running.port}`;
};

const endedEvents = () => log.events.filter(({ event }) => event === 'request.ended');

describe('a running process', () => {
  it("a controller's AppError, a foreign error and an unknown path have one shape", async () => {
    const url = await start();
    const refused = await fetch(`${url}/refused`);
    expect(refused.status).toBe(409);
    expect(await refused.json()).toEqual({ error: { code: 'order_closed', message: 'The order is closed.', request_id: refused.headers.get('x-request-id') } });
    const broken = await fetch(`${url}/broken`);
    expect(broken.status).toBe(500);
    expect(await broken.text()).not.toContain('hunter2');
    expect(await (await fetch(`${url}/unknown`)).json()).toMatchObject({ error: { code: 'not_found' } });
  });

  it('each request is one event; an unknown path is not repeated in it, and health is not in the log', async () => {
    const url = await start();
    for (const path of ['/refused', '/kt_live_typed-into-the-path?key=hunter2', '/healthz', '/readyz']) await fetch(`${url}${path}`);
    await until('both have ended', () => endedEvents().length === 2);
    expect(endedEvents()).toMatchObject([
      { method: 'GET', route: '/refused', status: 409, code: 'order_closed', aborted: false, requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      { method: 'GET', route: 'unknown', status: 404 },
    ]);
    expect(JSON.stringify(log.events)).not.toMatch(/typed-into|hunter2/);
  });

  it('why a 500 happened is in its event, at level error', async () => {
    const url = await start();
    await fetch(`${url}/broken`);
    await until('one has ended', () => endedEvents().length === 1);
    expect(endedEvents()[0]).toMatchObject({ level: 50, status: 500 });
  });

  it('a public face has no metrics, and its metrics port wants the token', async () => {
    const url = await start();
    expect((await fetch(`${url}/metrics`)).status).toBe(404);
    const metrics = `http://127.0.0.1:${running!.metricsPort}/metrics`;
    expect((await fetch(metrics)).status).toBe(401);
    const text = await (await fetch(metrics, { headers: authorized })).text();
    expect(text).toContain('http_server_request_duration_seconds_count{process="orders",method="GET",route="unknown",status="404"} 1');
  });

  it('an internal face gives metrics and everything else to the token alone', async () => {
    const url = await start({ face: 'internal', listen: () => ({ port: 0, portSetting: 'ORDERS_PORT' }) });
    for (const path of ['/metrics', '/refused', '/unknown']) expect((await fetch(`${url}${path}`)).status).toBe(401);
    expect((await fetch(`${url}/metrics`, { headers: authorized })).status).toBe(200);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('a failed check makes it not ready and leaves it alive', async () => {
    const url = await start({ wire: () => ({ readiness: [{ name: 'database', check: () => Promise.reject(new Error('away')) }] }) });
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(log.events).toContainEqual(expect.objectContaining({ event: 'readiness.failed', check: 'database' }));
  });

  it('a client that leaves during a stream, and one that pipelined behind it, are both counted out', async () => {
    const { ends, wire } = createStreams();
    const url = await start({ wire }, 60_000);
    const client = httpRequest(`${url}/stream`, (response) => response.once('data', () => client.destroy()));
    client.on('error', () => undefined);
    client.end();
    await until('one has ended', () => endedEvents().length === 1);
    const line = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const left = exchangeRaw(running!.port, line('/stream') + line('/refused')).catch(() => '');
    await until('the second stream runs', () => ends.length === 2);
    running!.fastify.server.closeAllConnections();
    await left;
    await until('two have ended', () => endedEvents().length >= 2);
    expect(endedEvents().slice(0, 2)).toMatchObject([{ route: '/stream', aborted: true }, { route: '/stream', aborted: true }]);
    // Whatever was queued behind the stream is counted out too: the drain has nothing to wait for.
    expect(await running!.drain()).toBe(true);
  });
});

describe('a process that drains', () => {
  it('what runs ends, what is new is refused, readiness is off and liveness on', async () => {
    const { ends, wire } = createStreams();
    const url = await start({ wire });
    const response = await fetch(`${url}/stream`);
    const drained = running!.drain();
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const refused = await fetch(`${url}/refused`);
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.json()).toMatchObject({ error: { code: 'draining' } });
    ends[0]!();
    expect(await response.text()).toBe('first last');
    expect(await drained).toBe(true);
  });

  it('what does not end within the time is reported as not drained', async () => {
    const { wire } = createStreams();
    const url = await start({ wire }, 20);
    const response = await fetch(`${url}/stream`);
    expect(await running!.drain()).toBe(false);
    running!.fastify.server.closeAllConnections();
    await expect(response.text()).rejects.toThrow();
  });

  it("the app's own drain work is waited for, and told when to be done", async () => {
    let finish: () => void = () => undefined;
    let deadlineMs = 0;
    const work = new Promise<void>((resolve) => (finish = resolve));
    await start({
      wire: () => ({
        drain: (deadline) => {
          deadlineMs = deadline;
          return work;
        },
      }),
    });
    let ended = false;
    const drained = running!.drain().then((result) => ((ended = true), result));
    expect(deadlineMs).toBeGreaterThan(performance.now());
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(false);
    finish();
    expect(await drained).toBe(true);
  });

  it('is over when what all work depends on does not answer', async () => {
    const { wire } = createStreams();
    const url = await start({ wire: async (context) => ({ ...(await wire(context)), lifeline: () => Promise.reject(new Error('away')) }) }, 600_000);
    const response = await fetch(`${url}/stream`);
    expect(await running!.drain()).toBe(false);
    running!.fastify.server.closeAllConnections();
    await expect(response.text()).rejects.toThrow();
  });

  it('who comes while the server closes is told the same: its connection was not idle, so it was not cut', async () => {
    const url = await start();
    const socket = connect(running!.port, '127.0.0.1');
    const [accepted] = (await once(running!.fastify.server, 'connection')) as [Socket];
    socket.write('GET /refused HTTP/1.1\r\nhost: ');
    await until('its request has begun', () => accepted.bytesRead > 0);
    const closed = running!.close();
    socket.write('orders\r\n\r\n');
    const answer = Buffer.concat(await socket.toArray()).toString();
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({ error: { code: 'draining' } });
    await closed;
    await expect(fetch(url)).rejects.toThrow();
  });

  it('closing runs the shutdown of the providers and frees the port', async () => {
    const url = await start();
    await running!.close();
    expect(shutdown).toHaveBeenCalledTimes(1);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });
});

describe('a process that cannot start', () => {
  it('closes what it had opened and says which setting is wrong', async () => {
    await start();
    const taken = running!.port;
    const failing = startApp(
      {
        name: 'second',
        face: 'internal',
        readSettings: () => settings,
        listen: () => ({ port: taken, portSetting: 'SECOND_PORT' }),
        module: () => OrdersModule,
      },
      settings,
      log,
    );
    await expect(failing).rejects.toThrow(`SECOND_PORT is wrong: port ${taken} on 127.0.0.1 is already taken`);
    expect(shutdown).toHaveBeenCalledTimes(1);
  });
});
