import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { rotateFullFiles } from './log-rotation.js';
import { ensureSecrets } from './secrets.js';
import { writeQuickstart, type Quickstart } from './quickstart.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-files-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

const modeOf = (file: string): string => (statSync(file).mode & 0o777).toString(8);

describe('ensureSecrets', () => {
  it('makes random secrets once, readable by their owner alone', () => {
    const file = join(folder, 'secrets.json');
    const made = ensureSecrets(file, false);
    expect(ensureSecrets(file, true)).toEqual(made);
    expect(new Set(Object.values(made)).size).toBe(4);
    expect(modeOf(file)).toBe('600');
    expect(readdirSync(folder)).toEqual(['secrets.json']);
  });

  it('adds the key that an older installation has none of, and keeps the rest', () => {
    const file = join(folder, 'secrets.json');
    const { secretKey: _none, ...older } = ensureSecrets(file, false);
    writeFileSync(file, JSON.stringify(older));
    const upgraded = ensureSecrets(file, true);
    expect(upgraded).toMatchObject(older);
    expect(upgraded.secretKey).toMatch(/^[0-9a-f]{64}$/);
    expect(ensureSecrets(file, true)).toEqual(upgraded);
  });

  it('refuses to make new ones for a database that was made with others', () => {
    expect(() => ensureSecrets(join(folder, 'secrets.json'), true)).toThrow(/is missing.*Nothing was changed/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each(['', '{}', '{"internalToken":"short"}'])('refuses a damaged file (%j) and leaves it as it is', (contents) => {
    const file = join(folder, 'secrets.json');
    writeFileSync(file, contents);
    expect(() => ensureSecrets(file, true)).toThrow(/is damaged.*internalToken/);
    expect(readFileSync(file, 'utf8')).toBe(contents);
  });
});

describe('writeQuickstart', () => {
  it('replaces the file whole, with mode 600', () => {
    const file = join(folder, 'quickstart.json');
    const quickstart: Quickstart = {
      gatewayUrl: 'http://127.0.0.1:8080/v1',
      apiKey: 'kt_live_1',
      benchApiKey: null,
      databaseUrl: 'postgresql://127.0.0.1/kilotoken',
      controlDatabaseUrl: null,
      consoleUrl: 'http://127.0.0.1:8081/',
      graphqlUrl: 'http://127.0.0.1:8081/graphql',
      graphqlWsUrl: 'ws://127.0.0.1:8081/graphql',
      signInUrl: 'http://127.0.0.1:8081/api/auth/sign-in/email',
      serviceToken: null,
      users: [],
      mailFolder: null,
      models: ['loopback'],
      model: 'loopback',
      engineModel: null,
      localModel: null,
      loopbackModel: 'loopback',
    };
    writeFileSync(file, 'x'.repeat(10_000), { mode: 0o644 });
    writeQuickstart(file, quickstart);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(quickstart);
    expect(modeOf(file)).toBe('600');
    expect(readdirSync(folder)).toEqual(['quickstart.json']);
  });
});

describe('rotateFullFiles', () => {
  it('bounds what processes print, keeps the last of it, and leaves the logs that rotate by themselves alone', () => {
    const full = 'x'.repeat(2_000);
    for (const name of ['gateway.out', 'postgres.log', 'gateway.1.log']) writeFileSync(join(folder, name), full);
    writeFileSync(join(folder, 'api.out'), 'short');
    rotateFullFiles(folder, 1_000);

    const sizes = Object.fromEntries(readdirSync(folder).map((name) => [name, statSync(join(folder, name)).size]));
    expect(sizes).toEqual({ 'gateway.out': 0, 'gateway.out.1': 2_000, 'postgres.log': 0, 'postgres.log.1': 2_000, 'gateway.1.log': 2_000, 'api.out': 5 });

    appendFileSync(join(folder, 'gateway.out'), 'goes on');
    rotateFullFiles(folder, 1_000);
    expect(readFileSync(join(folder, 'gateway.out'), 'utf8')).toBe('goes on');
  });
});
