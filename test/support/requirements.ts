import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from '@jest/globals';
import { hasPreviousRelease } from './previous-release.js';

/**
 * `npm test` needs only Node. A proof that needs more says so, is skipped where it is missing, and is counted and named
 * at the end of the run; `.ci/run` installs everything and lets nothing be skipped.
 */
export type Requirement = 'linux' | 'root' | 'strace' | 'libfaketime' | 'tmpfs' | 'python-openai' | 'redis' | 'fixtures' | 'previous-release' | 'chromium';

const COMMAND_MS_MAX = 10_000;
const FAKETIME_LIBRARIES = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map((triplet) => `/usr/lib/${triplet}/faketime/libfaketime.so.1`);

/** `it`, where everything that the test needs is there. */
export const itNeeds = (...requirements: Requirement[]): typeof it | typeof it.skip => (requirements.every(isMet) ? it : it.skip);

/** The library to preload; only where `libfaketime` is met. */
export const libfaketimePath = (): string => FAKETIME_LIBRARIES.find((path) => existsSync(path)) ?? '';

/** A Python that can import `openai`; only where `python-openai` is met. */
export const pythonPath = (): string => process.env['KILOTOKEN_PYTHON'] ?? 'python3';

/** The browser: CHROMIUM_PATH, else Debian's name on the PATH. */
export const chromiumPath = (): string => process.env['CHROMIUM_PATH'] ?? 'chromium';

/** The folder of recorded workloads; only where `fixtures` is met. */
export const fixturesFolder = (): string => process.env['KILOTOKEN_FIXTURES'] ?? '';

const checks: Record<Requirement, () => boolean> = {
  linux: () => process.platform === 'linux',
  root: () => process.getuid?.() === 0,
  strace: () => runs('strace', ['-V']),
  libfaketime: () => libfaketimePath() !== '',
  tmpfs: canMountTmpfs,
  'python-openai': () => runs(pythonPath(), ['-c', 'import openai']),
  redis: () => runs('redis-server', ['--version']),
  fixtures: () => existsSync(fixturesFolder()),
  'previous-release': hasPreviousRelease,
  chromium: () => runs(chromiumPath(), ['--version']),
};

const known = new Map<Requirement, boolean>();

export function isMet(requirement: Requirement): boolean {
  const met = known.get(requirement) ?? checks[requirement]();
  known.set(requirement, met);
  return met;
}

function runs(command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: COMMAND_MS_MAX });
    return true;
  } catch {
    // Not installed, or not working, which is the same to a test.
    return false;
  }
}

/** Being root is not enough in a container. */
function canMountTmpfs(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'kilotoken-tmpfs-'));
  try {
    return runs('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]) && runs('umount', [folder]);
  } finally {
    rmdirSync(folder);
  }
}
