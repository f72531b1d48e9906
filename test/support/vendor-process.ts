import { transformFile } from '@swc/core';
import { spawn } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { identifyProcess } from '@kilotoken/tools/process-identity';
import { testRunFolder } from './postgres.js';
import { until } from './until.js';
import type { VendorControl } from './vendor-script.js';
import type { VendorLogEntry } from './vendor.js';

/** The stand-in as a process of its own, which can be frozen and killed as no server within a test can. */
export interface VendorProcess {
  /** Ends in /v1. */
  baseUrl: string;
  /** What has ended, as far as its log file says. */
  log(): VendorLogEntry[];
  control(control: VendorControl): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  close(): Promise<void>;
}

const SOURCES = ['vendor-main', 'vendor', 'vendor-answer', 'vendor-contract', 'vendor-delivery', 'vendor-raw', 'vendor-script'];
const HERE = fileURLToPath(new URL('.', import.meta.url));
/** Inside node_modules, so that what the stand-in imports is found. */
const BUILD_FOLDER = fileURLToPath(new URL('../../node_modules/.cache/kilotoken', import.meta.url));

export async function startVendorProcess(): Promise<VendorProcess> {
  const folder = await build();
  const logFile = join(folder, 'vendor.log');
  writeFileSync(logFile, '');
  const child = spawn(process.execPath, [join(folder, 'vendor-main.js'), '--log', logFile], { stdio: ['ignore', 'pipe', 'inherit'] });
  const processFile = join(testRunFolder(), `${basename(folder)}.process.json`);
  writeFileSync(processFile, JSON.stringify(identifyProcess(child.pid ?? 0) ?? {}));
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await until('the vendor has ended', hasEnded);
    rmSync(processFile, { force: true });
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await until('the vendor listens', () => output.includes('\n') || hasEnded());
    const { baseUrl } = JSON.parse(output) as { baseUrl: string };
    return {
      baseUrl,
      log: () => readFileSync(logFile, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as VendorLogEntry),
      control: async (control) => {
        const answer = await fetch(new URL('/_control', baseUrl), { method: 'POST', body: JSON.stringify(control), signal: AbortSignal.timeout(5_000) });
        if (answer.status !== 204) throw new Error(`the vendor refused its instruction: ${await answer.text()}`);
      },
      signal: (signal) => void child.kill(signal),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function build(): Promise<string> {
  mkdirSync(BUILD_FOLDER, { recursive: true });
  const folder = mkdtempSync(join(BUILD_FOLDER, 'vendor-'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  for (const name of SOURCES) {
    const { code } = await transformFile(join(HERE, `${name}.ts`), { swcrc: false, jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } });
    writeFileSync(join(folder, `${name}.js`), code);
  }
  return folder;
}
