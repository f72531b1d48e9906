import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { identifyProcess, identifySelf, waitForExit } from '../process-identity.js';
import { takeFolderLock } from './folder-lock.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-lock-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

const locks = (): string[] => readdirSync(folder).sort();

describe('takeFolderLock', () => {
  it('refuses a second holder with a message that names the first', () => {
    takeFolderLock(folder);
    expect(() => takeFolderLock(folder)).toThrow(new RegExp(`already runs on ${folder} \\(process ${process.pid}, .*KILOTOKEN_HOME=`));
    expect(locks()).toEqual(['launcher.1.lock']);
  });

  it('takes over from a holder that was killed', async () => {
    const holder = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    const identity = identifyProcess(holder.pid ?? 0)!;
    writeFileSync(join(folder, 'launcher.1.lock'), JSON.stringify({ ...identity, since: 'before' }));
    expect(() => takeFolderLock(folder)).toThrow('already runs');

    holder.kill('SIGKILL');
    expect(await waitForExit(identity, 5_000)).toBe(true);
    takeFolderLock(folder);
    expect(locks()).toEqual(['launcher.2.lock']);
  });

  it('does not mistake another process with a reused pid for the holder', () => {
    writeFileSync(join(folder, 'launcher.7.lock'), JSON.stringify({ ...identifySelf(), startedAt: 'in another life', since: 'before' }));
    takeFolderLock(folder);
    expect(locks()).toEqual(['launcher.8.lock']);
  });

  it('takes over from a lock that a power cut emptied', () => {
    writeFileSync(join(folder, 'launcher.1.lock'), '');
    takeFolderLock(folder);
    expect(existsSync(join(folder, 'launcher.2.lock'))).toBe(true);
  });
});
