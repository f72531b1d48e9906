import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findFreePort } from '@kilotoken/tools/free-port';
import { identifyProcess } from '@kilotoken/tools/process-identity';
import { Redis } from 'ioredis';
import { testRunFolder } from './postgres.js';
import { until } from './until.js';

/** A Redis of a test's own, kept in memory alone; for proofs that need `redis`. */
export class RedisProcess {
  private child: ChildProcess | null = null;

  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly cluster: boolean,
  ) {}

  static async start({ cluster = false } = {}): Promise<RedisProcess> {
    const redis = new RedisProcess(await findFreePort(), mkdtempSync(join(testRunFolder(), 'redis-')), cluster);
    await redis.restart();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it with nothing in it. */
  async restart(): Promise<void> {
    const options = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.folder, '--save', '', '--appendonly', 'no'];
    // A cluster of one node that has all slots; its second port may lie anywhere.
    if (this.cluster) options.push('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-port', String(await findFreePort()));
    const child = spawn('redis-server', options, { detached: true, stdio: 'ignore' });
    this.child = child;
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    // The global teardown ends what outlives a killed worker.
    const processFile = join(testRunFolder(), `redis-${child.pid}.process.json`);
    writeFileSync(processFile, JSON.stringify(identifyProcess(child.pid!) ?? {}));
    child.once('exit', () => rmSync(processFile, { force: true }));
    await until('redis answers', () => this.ask((client) => client.ping()).catch(() => null));
    if (!this.cluster) return;
    await until('the cluster is whole', async () => {
      // It has them already when an answer was late.
      await this.ask((client) => client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')).catch(() => null);
      return String(await this.ask((client) => client.call('CLUSTER', 'INFO')).catch(() => '')).includes('cluster_state:ok');
    });
  }

  async flush(): Promise<void> {
    await until('it is flushed', () => this.ask((client) => client.flushall()).catch(() => null));
  }

  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.child?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await until('redis has ended', () => child.exitCode !== null || child.signalCode !== null);
  }

  private async ask<Result>(question: (client: Redis) => Promise<Result>): Promise<Result> {
    const client = new Redis(this.url, { maxRetriesPerRequest: 0, retryStrategy: () => null, lazyConnect: true, commandTimeout: 2_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await question(client);
    } finally {
      client.disconnect();
    }
  }
}
