import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { validate } from 'dockerfile-utils';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { parse } from 'yaml';

/** What is deployed from this repository is what its code says: image, containers, dashboard. No Docker is needed here. */
const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Service {
  image?: string;
  command?: string[];
  entrypoint?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  read_only?: boolean;
  healthcheck?: { test?: string[]; disable?: boolean };
  stop_grace_period?: string;
}
const composeText = read('docker-compose.yml');
const compose = parse(composeText, { merge: true }) as { services: Record<string, Service>; volumes: Record<string, unknown> };
/** Port by app, as each app's settings have it by default. */
const ports: Record<string, number> = { gateway: 8080, api: 8081, metering: 8082, backoffice: 8083, 'inference-worker': 8084 };
const apps = Object.keys(ports);

describe('docker-compose.yml', () => {
  it('is what the Compose Specification allows', () => {
    // The schema names its parts by `id`, which JSON Schema called so before 2019: ajv wants to be told that it is no keyword.
    const schema = JSON.parse(read('deploy/schema/compose-spec.json'), (key, value: unknown) => (key === 'id' && typeof value === 'string' ? undefined : value)) as object;
    const check = new Ajv2019({ strict: false, allErrors: true, validateFormats: false }).compile(schema);
    expect([check(compose), check.errors]).toEqual([true, null]);
    const misspelt = structuredClone(compose) as unknown as { services: Record<string, Record<string, unknown>> };
    misspelt.services['gateway']!['read_olny'] = true;
    expect(check(misspelt)).toBe(false);
  });

  it('runs every app, each by its built code, and looks at its health on its own port', () => {
    for (const app of apps) {
      const service = compose.services[app]!;
      expect([app, service.command?.at(-1)]).toEqual([app, `apps/${app}/dist/main.js`]);
      expect(existsSync(join(root, `apps/${app}/src/main.ts`))).toBe(true);
      expect(read(`apps/${app}/src/config.ts`)).toContain(`setting.port(${ports[app]})`);
      expect(service.healthcheck?.test).toEqual(['CMD', 'node', 'deploy/healthcheck.mjs', String(ports[app])]);
      expect(service.read_only).toBe(true);
    }
    expect(compose.services['migrate']!.command).toEqual(['tools/dist/migrate/main.js']);
    expect(existsSync(join(root, 'tools/src/migrate/main.ts'))).toBe(true);
  });

  it("tells the applications nothing of the owner's login, and opens no port but the public ones", () => {
    const knowing = Object.entries(compose.services).filter(([, { environment }]) => environment?.['DATABASE_URL'] !== undefined);
    expect(knowing.map(([name]) => name)).toEqual(['migrate', 'kt', 'reconcile']);
    const open = Object.entries(compose.services).filter(([, service]) => service.ports !== undefined);
    expect(open.map(([name]) => name)).toEqual(['gateway', 'api']);
  });

  it('gives every process longer to stop than it may drain', () => {
    const drainMs = Number(/DRAIN_MS: durationMs\(([\d_]+)/.exec(read('libs/platform/src/config/config.ts'))![1]!.replaceAll('_', ''));
    for (const app of apps) expect(parseInt(compose.services[app]!.stop_grace_period!, 10) * 1_000).toBeGreaterThan(drainMs + 3_000);
  });

  it('asks for every variable that it uses in .env.docker.example, and for no other', () => {
    const used = new Set([...composeText.matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name!));
    const named = [...read('.env.docker.example').matchAll(/^#? ?([A-Z][A-Z_]+)=/gm)].map(([, name]) => name!);
    // Which images are run and how much they say is no secret and no address.
    expect(named.sort()).toEqual([...used].filter((name) => !['KILOTOKEN_VERSION', 'LOG_LEVEL'].includes(name)).sort());
  });

  it('pins every image to a version', () => {
    const images = Object.values(compose.services).flatMap(({ image }) => (image ? [image] : []));
    for (const image of images) expect(image).toMatch(/:(\d+\.\d+[\w.-]*|\$\{KILOTOKEN_VERSION:-local\})$/);
  });
});

describe('Dockerfile', () => {
  const text = read('Dockerfile');
  const instructions = text.replace(/\\\n/g, ' ').split('\n').filter((line) => /^[A-Z]/.test(line));
  const last = instructions.slice(instructions.findLastIndex((line) => line.startsWith('FROM')));

  it('has nothing that a linter objects to', () => {
    expect(validate(text).map(({ message, range }) => `line ${range.start.line + 1}: ${message}`)).toEqual([]);
    expect(validate('FROM node\nCMD node x\nCMD node y\nWORKDIR a\n')).not.toEqual([]);
  });

  it('pins its base to a version', () => {
    for (const from of instructions.filter((line) => /^FROM .*:/.test(line))) expect(from).toMatch(/^FROM node:\d+\.\d+\.\d+-[a-z]+-slim( AS \w+)?$/);
  });

  it('runs no install script of any package', () => {
    const installs = instructions.flatMap((line) => line.match(/npm (ci|install)[^&|;]*/g) ?? []);
    expect(installs.length).toBeGreaterThan(1);
    for (const install of installs) expect(install).toContain('--ignore-scripts');
  });

  it('ends in an image without development packages and sources, whose processes are not root and hear signals themselves', () => {
    expect(last.filter((line) => line.startsWith('COPY --from=packages'))).toEqual(['COPY --from=packages /opt/kilotoken/node_modules ./node_modules']);
    expect(text).toMatch(/AS packages\n(.*\n)*?RUN npm ci --omit=dev /);
    expect(last.filter((line) => line.startsWith('USER'))).toEqual(['USER node']);
    // In its shell form a shell is the first process, and a signal ends there.
    for (const line of last.filter((line) => /^(ENTRYPOINT|CMD)/.test(line))) expect(line).toMatch(/^(ENTRYPOINT|CMD) \[".*"\]$/);
    expect(last.some((line) => line.startsWith('HEALTHCHECK'))).toBe(true);
  });

  it('copies what exists, and what .dockerignore lets in', () => {
    const ignored = read('.dockerignore').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const built = ['.nx/prepared'];
    for (const line of last.filter((line) => line.startsWith('COPY --from=build'))) {
      for (const source of line.split(' ').slice(2, -1).map((path) => path.replace('/opt/kilotoken/', ''))) {
        if (built.includes(source)) continue;
        expect([source, existsSync(join(root, source))]).toEqual([source, true]);
        expect(ignored).not.toContain(source);
      }
    }
  });
});

describe('the dashboard', () => {
  interface Panel {
    type: string;
    title: string;
    targets?: { expr: string }[];
  }
  const dashboard = JSON.parse(read('deploy/grafana/kilotoken.json')) as { uid: string; panels: Panel[] };
  const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  const named = [...new Set(expressions.flatMap((expr) => expr.match(/\b(kilotoken|http|nodejs|process)_\w+/g) ?? []))];
  /** As what Prometheus stores a histogram. */
  const metricOf = (series: string): string => series.replace(/_(bucket|sum|count)$/, '');

  const sources = ['apps', 'libs'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /src\/.*\.ts$/.test(path) && !/\.spec\.ts$|generated|node_modules/.test(path))
      .map((path) => read(`${folder}/${path}`)),
  );
  const registered = new Map(sources.flatMap((source) => [...source.matchAll(/new (Counter|Gauge|Histogram)\(\{\s*name: '(\w+)'/g)].map(([, kind, name]) => [name!, kind!] as const)));
  const ofNode = new Registry();
  collectDefaultMetrics({ register: ofNode });

  it('names only metrics that a process registers', async () => {
    const known = new Set([...registered.keys(), ...(await ofNode.getMetricsAsJSON()).map(({ name }) => name)]);
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((name) => !known.has(name) && !known.has(metricOf(name)))).toEqual([]);
  });

  it('shows every metric that is about money', () => {
    const money = [...registered.keys()].filter((name) => /rat(ed|ing)|uncollected|unsettled|invalid_usage|undeclared|reaped/.test(name));
    expect(money.length).toBeGreaterThan(6);
    expect(money.filter((name) => !named.map(metricOf).includes(name))).toEqual([]);
  });

  it('counts counters by their rate, and asks histograms for their quantiles by their buckets', () => {
    for (const [name, kind] of registered) {
      for (const expr of expressions.filter((text) => new RegExp(`\\b${name}\\b`).test(text))) expect([expr, kind === 'Counter' ? /(rate|increase)\(/.test(expr) : true]).toEqual([expr, true]);
    }
    for (const expr of expressions.filter((text) => text.includes('histogram_quantile'))) expect(expr).toMatch(/_bucket[{[]/);
  });

  it('has titles of its own for every panel', () => {
    const titles = dashboard.panels.map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
  });
});

describe('the sample of Prometheus', () => {
  it('scrapes every process where it serves its metrics', () => {
    const { scrape_configs: jobs } = parse(read('deploy/prometheus/prometheus.yml')) as { scrape_configs: { static_configs: { targets: string[] }[] }[] };
    const portOf = (app: string): number => (app === 'gateway' ? 8085 : app === 'api' ? 8086 : ports[app]!);
    expect(jobs[0]!.static_configs[0]!.targets).toEqual(apps.map((app) => `${app}:${portOf(app)}`));
  });
});
