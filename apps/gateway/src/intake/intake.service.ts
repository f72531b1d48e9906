import { Injectable } from '@nestjs/common';
import { scanJsonBody } from '@kilotoken/contracts';
import type { Offload } from '@kilotoken/platform/offload';
import type { FastifyRequest } from 'fastify';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { BytesMeter } from '../bounds/bytes-meter.js';
import type { Deadlines } from '../bounds/deadlines.js';
import type { Caller } from '../request/caller.js';
import type { Operation } from '../request/operation.js';
import type { ReadRequest } from '../request/read-request.js';
import { loopBytesMax, loopWorkMax, workOf } from './body-work.js';
import { readLarge, readSmall } from './read-request.js';
import type { ReadingJobs } from './reading.jobs.js';
import { receiveBody, type ReceivedBody, type Receiving, type ReceivingSettings } from './receive-body.js';

/** Takes bodies in: their bytes, then what they ask for. Small ones are read here and at once, others in worker threads. */
@Injectable()
export class Intake {
  /** Large bodies that threads are reading. */
  reading = 0;
  private readonly receiving: Receiving;
  private readonly readCount = { loop: 0, thread: 0 };
  private workMax = 0;

  constructor(
    settings: ReceivingSettings,
    private readonly threads: Offload<ReadingJobs>,
    meter: BytesMeter,
    deadlines: Deadlines,
    registry: Registry,
  ) {
    this.receiving = { ...settings, meter, deadlines };
    const registers = [registry];
    const { readCount } = this;
    // Counted in plain numbers: a labelled counter costs each request a microsecond.
    new Counter({
      name: 'kilotoken_bodies_read_total',
      help: 'Bodies by where they were read: in the event loop or in a worker thread.',
      labelNames: ['where'],
      registers,
      collect() {
        this.reset();
        for (const [where, count] of Object.entries(readCount)) this.inc({ where }, count);
      },
    });
    const gauge = (name: string, help: string, value: () => number): void => void new Gauge({ name, help, registers, collect() { this.set(value()); } });
    gauge('kilotoken_body_bytes_in_flight', 'Bytes that are kept for clients: of bodies that arrive or run, and of answers that wait for slow readers.', () => meter.inFlight);
    gauge('kilotoken_body_bytes_in_flight_max', 'The most of these bytes since the start.', () => meter.inFlightMax);
    gauge('kilotoken_loop_body_work_max', 'The most work that reading one body was on the event loop since the start, in bytes of plain text.', () => this.workMax);
    gauge('kilotoken_thread_jobs_waiting', 'Jobs that wait for a worker thread.', () => threads.waiting);
  }

  receive(request: FastifyRequest, caller: Caller, done: (error: Error | null, body?: ReceivedBody) => void): void {
    receiveBody(this.receiving, caller, request.raw, done);
  }

  /** Throws, or rejects with, a `ContractError` or a Refusal. */
  readBody(bytes: Uint8Array, operation: Operation, caller: Caller, needsHash: boolean): ReadRequest | Promise<ReadRequest> {
    if (bytes.length <= loopBytesMax) {
      const scanned = scanJsonBody(bytes);
      const work = workOf(scanned, bytes.length);
      if (work <= loopWorkMax) {
        if (work > this.workMax) this.workMax = work;
        this.readCount.loop += 1;
        return readSmall(scanned, operation);
      }
    }
    return this.readOutside(sharedOf(bytes), operation, caller, needsHash);
  }

  private async readOutside(raw: SharedArrayBuffer, operation: Operation, { apiKeyId }: Caller, needsHash: boolean): Promise<ReadRequest> {
    this.reading += 1;
    this.readCount.thread += 1;
    try {
      return await readLarge({ threads: this.threads, raw: { operation, raw }, apiKeyId, needsHash });
    } finally {
      this.reading -= 1;
    }
  }
}

const sharedOf = (bytes: Uint8Array): SharedArrayBuffer => {
  if (bytes.buffer instanceof SharedArrayBuffer) return bytes.buffer;
  const shared = new SharedArrayBuffer(bytes.length);
  new Uint8Array(shared).set(bytes);
  return shared;
};
