import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { ConfigError, parseConfig, processSettings, setting, type Environment } from './config.js';

const schema = z.object({
  ...processSettings,
  API_PORT: setting.port(8081),
  APP_DATABASE_URL: setting.databaseUrl(),
  REDIS_URL: setting.redisUrl(),
});

const right: Environment = { INTERNAL_TOKEN: 'x'.repeat(16), APP_DATABASE_URL: 'postgresql://app:p%40ss@127.0.0.1:5432/kilotoken' };

const problemsOf = (environment: Environment): readonly string[] => {
  try {
    parseConfig(schema, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

describe('settings', () => {
  it('what is not set has its default, and only what the schema names is taken', () => {
    expect(parseConfig(schema, { ...right, PATH: '/bin' })).toEqual({
      ...right,
      HOST: '127.0.0.1',
      LOG_LEVEL: 'info',
      DRAIN_MS: 25_000,
      TRACE_SAMPLE_RATIO: 0.01,
      API_PORT: 8081,
    });
  });

  it('all problems are reported at once, each with its variable', () => {
    const problems = problemsOf({ API_PORT: '70000', LOG_LEVEL: 'loud', HOST: 'http://x' });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'HOST is wrong',
      'INTERNAL_TOKEN is not set',
      'LOG_LEVEL is wrong',
      'API_PORT is wrong',
      'APP_DATABASE_URL is not set',
    ]);
  });

  it('an empty or blank variable counts as not set', () => {
    expect(parseConfig(schema, { ...right, API_PORT: '', HOST: '  ', LOG_FILE: '' })).toMatchObject({ API_PORT: 8081, HOST: '127.0.0.1' });
    expect(problemsOf({ ...right, INTERNAL_TOKEN: '' })).toEqual([expect.stringContaining('INTERNAL_TOKEN is not set: must have 16 to 512')]);
  });

  it('a wrong value is never repeated, since it may be a secret', () => {
    const text = problemsOf({ INTERNAL_TOKEN: 'hunter2', APP_DATABASE_URL: 'mysql://hunter2@x/y', REDIS_URL: 'hunter2', API_PORT: 'hunter2' }).join();
    expect(text).toContain('REDIS_URL is wrong');
    expect(text).not.toContain('hunter2');
  });

  it.each(['-1', '65536', '8081.5', '1e3', '0x50', '８０', 'NaN', '8081 8082'])('%p is no port', (value) => {
    expect(problemsOf({ ...right, API_PORT: value })).toEqual(['API_PORT is wrong: must be a whole number from 0 to 65535']);
  });

  it.each(['127.0.0.1', '0.0.0.0', '::1', 'localhost', 'gateway.internal'])('%p can be bound to', (value) => {
    expect(problemsOf({ ...right, HOST: value })).toEqual([]);
  });

  it.each(['x'.repeat(15), `${'x'.repeat(16)} y`, `"${'x'.repeat(16)}"`, `${'x'.repeat(16)}\u00e9`])('%p is no token that a header can carry safely', (value) => {
    expect(problemsOf({ ...right, INTERNAL_TOKEN: value })).toHaveLength(1);
  });

  it.each(['kilotoken', 'postgres://127.0.0.1', 'http://127.0.0.1/kilotoken'])('%p is no database', (value) => {
    expect(problemsOf({ ...right, APP_DATABASE_URL: value })).toEqual([expect.stringContaining('postgresql://user:password@')]);
  });

  it.each([['0', 0], ['1', 1], ['.5', 0.5], ['0.001', 0.001]])('%p is a ratio', (text, value) => {
    expect(parseConfig(schema, { ...right, TRACE_SAMPLE_RATIO: text }).TRACE_SAMPLE_RATIO).toBe(value);
  });

  it.each(['1.1', '-0.1', '10', '1e-3', '0,5'])('%p is no ratio', (value) => {
    expect(problemsOf({ ...right, TRACE_SAMPLE_RATIO: value })).toEqual(['TRACE_SAMPLE_RATIO is wrong: must be a number from 0 to 1, such as 0.01']);
  });

  it('header fields are read as OpenTelemetry writes them', () => {
    const text = 'Authorization=Basic%20dXNlcjpwYXNz==, x-scope=a';
    expect(parseConfig(schema, { ...right, OTEL_EXPORTER_OTLP_HEADERS: text }).OTEL_EXPORTER_OTLP_HEADERS).toEqual({ Authorization: 'Basic dXNlcjpwYXNz==', 'x-scope': 'a' });
    expect(problemsOf({ ...right, OTEL_EXPORTER_OTLP_HEADERS: 'a=b%zz', OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4318' })).toHaveLength(2);
  });

  it('the message lists the problems one a line', () => {
    expect(new ConfigError(['A is wrong: a', 'B is wrong: b']).message).toBe('2 settings are wrong:\n  A is wrong: a\n  B is wrong: b');
  });
});
