import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { launcherSettings, readLauncherSettings } from './settings.js';

const problemsOf = (environment: Record<string, string>): string => {
  try {
    readLauncherSettings(environment, '/srv');
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('readLauncherSettings', () => {
  it('starts with defaults alone, on loopback, with the data folder below the working folder', () => {
    expect(readLauncherSettings({}, '/srv')).toMatchObject({
      HOST: '127.0.0.1',
      GATEWAY_PORT: 8080,
      API_PORT: 8081,
      METERING_PORT: 8082,
      BACKOFFICE_PORT: 8083,
      WORKER_PORT: 8084,
      GATEWAY_METRICS_PORT: 8085,
      API_METRICS_PORT: 8086,
      KILOTOKEN_HOME: '/srv/.kilotoken',
    });
  });

  it.each([
    [{ GATEWAY_PORT: '80800' }, 'GATEWAY_PORT is wrong'],
    [{ GATEWAY_PORT: '0' }, 'GATEWAY_PORT is wrong'],
    [{ WORKER_PORT: '8080' }, 'WORKER_PORT is wrong: another process already has port 8080'],
    [{ DATABASE_URL: 'mysql://somewhere/kilotoken' }, 'DATABASE_URL is wrong'],
    [{ APP_DATABASE_URL: 'postgresql://a:b@127.0.0.1/kilotoken' }, 'DATABASE_URL is not set'],
    [{ KILOTOKEN_DEMO: 'yes' }, 'KILOTOKEN_DEMO is wrong: must be 0 or 1'],
    [{ KILOTOKEN_GPU: 'opencl' }, 'KILOTOKEN_GPU is wrong: must be cuda, vulkan or metal'],
    [{ HOST: 'not a host' }, 'HOST is wrong'],
  ])('refuses %j by name', (environment, problem) => {
    expect(problemsOf(environment)).toContain(problem);
  });

  it('reports every wrong setting at once, and never its value', () => {
    const problems = problemsOf({ GATEWAY_PORT: 'http', DATABASE_URL: 'secret://hunter2' });
    expect(problems).toContain('GATEWAY_PORT');
    expect(problems).toContain('DATABASE_URL');
    expect(problems).not.toContain('hunter2');
  });
});

describe('npm start -- --help', () => {
  it('explains every setting of the launcher', () => {
    const start = fileURLToPath(new URL('../../start.mjs', import.meta.url));
    const help = execFileSync(process.execPath, [start, '--help'], { encoding: 'utf8', env: {} });
    for (const name of Object.keys(launcherSettings.shape)) expect(help).toMatch(new RegExp(`^ {2}${name} +\\S`, 'm'));
  });
});
