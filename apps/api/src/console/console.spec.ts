import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fastify, type FastifyInstance } from 'fastify';
import { registerConsoleFace } from './console.face.js';

let folder: string;
let app: FastifyInstance;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-console-'));
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), '<meta name="kilotoken-gateway" content="CONSOLE_GATEWAY_URL"><script nonce="CONSOLE_CSP_NONCE" src="/assets/a-1.js"></script>');
  writeFileSync(join(folder, 'favicon.svg'), '<svg/>');
  writeFileSync(join(folder, 'color-scheme.js'), '//');
  writeFileSync(join(folder, 'persisted-operations.json'), '{}');
  writeFileSync(join(folder, 'assets/a-1.js'), 'plain');
  writeFileSync(join(folder, 'assets/a-1.js.br'), 'compressed');
  app = fastify();
  await registerConsoleFace(app, { folder, gatewayUrl: 'https://gateway.example.com/v1' });
});

afterAll(async () => {
  await app.close();
  rmSync(folder, { recursive: true });
});

const nonceOf = (text: string): string => /nonce="([^"]+)"/.exec(text)![1]!;

describe("the console's page", () => {
  it.each(['/', '/sign-in', '/o/acme', '/o/acme/requests/abc', '/staff/lanes', '/accept-invitation?token=x'])('%s is the same page, not to be kept', async (url) => {
    const answer = await app.inject(url);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-type']).toContain('text/html');
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.body).toContain('content="https://gateway.example.com/v1"');
  });

  it.each(['/graphql', '/api/auth/anything', '/healthz', '/readyz', '/metrics', '/other', '/persisted-operations.json', '/assets/../index.html'])('%s is none of it', async (url) => {
    expect((await app.inject(url)).statusCode).toBe(404);
  });

  it('has a new nonce each time, which its policy names, and no script of others', async () => {
    const [first, second] = [await app.inject('/'), await app.inject('/')];
    expect(nonceOf(first.body)).not.toBe(nonceOf(second.body));
    const policy = String(first.headers['content-security-policy']);
    expect(policy).toContain(`style-src 'self' 'nonce-${nonceOf(first.body)}'`);
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("connect-src 'self' https://gateway.example.com;");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
  });

  it('says how to build it where it was not built', async () => {
    const bare = fastify();
    await registerConsoleFace(bare, { folder: join(folder, 'assets'), gatewayUrl: 'http://127.0.0.1:8080/v1' });
    const answer = await bare.inject('/');
    expect(answer.body).toContain('npm start');
    await bare.close();
  });
});

describe('its files', () => {
  it('are kept for a year where their names carry a hash, and come compressed to who reads that', async () => {
    const plain = await app.inject('/assets/a-1.js');
    expect(plain.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(plain.body).toBe('plain');
    const small = await app.inject({ url: '/assets/a-1.js', headers: { 'accept-encoding': 'gzip, br' } });
    expect([small.headers['content-encoding'], small.body]).toEqual(['br', 'compressed']);
    expect((await app.inject('/favicon.svg')).headers['cache-control']).toBe('public, max-age=3600');
  });
});
