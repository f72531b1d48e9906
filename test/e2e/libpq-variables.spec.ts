import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { createPool } from '@kilotoken/platform';
import { startCluster } from '../support/cluster.js';
import { LauncherHome } from '../support/launcher.js';
import { until } from '../support/until.js';
import { startVendor } from '../support/vendor.js';
import { instruct } from '../support/vendor-script.js';

/** A shell that is set up for another database must not reach ours: every connection is made from its URL alone. */

const TEST_MS_MAX = 240_000;
const KT = fileURLToPath(new URL('../../tools/kt.mjs', import.meta.url));

/** Each of these makes node-postgres connect elsewhere, fail, or run with other settings. */
const hostile = {
  PGHOST: '192.0.2.1',
  PGHOSTADDR: '192.0.2.1',
  PGPORT: '1',
  PGDATABASE: 'elsewhere',
  PGUSER: 'somebody',
  PGPASSWORD: 'not-this-one',
  PGPASSFILE: '/nonexistent',
  PGSERVICE: 'nowhere',
  PGSERVICEFILE: '/nonexistent',
  PGOPTIONS: '-c default_transaction_read_only=on -c search_path=nowhere -c statement_timeout=1',
  PGSSLMODE: 'verify-full',
  PGSSLNEGOTIATION: 'direct',
  PGSSLROOTCERT: '/nonexistent',
  PGCLIENTENCODING: 'LATIN1',
  PGCLIENT_ENCODING: 'LATIN1',
  PGAPPNAME: 'psql',
  PGBINARY: '1',
  PGREPLICATION: 'database',
  PGCONNECT_TIMEOUT: '1',
  PGTZ: 'Asia/Kathmandu',
  NODE_PG_FORCE_NATIVE: '1',
};

const ask = (gatewayUrl: string, apiKey: string, model: string, content: string): Promise<Response> =>
  fetch(`${gatewayUrl}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content }] }),
  });

describe('with the variables of libpq set to something else', () => {
  it('npm start brings up the embedded Postgres, all processes and the command line', async () => {
    const home = await LauncherHome.create('libpq', hostile);
    try {
      await home.startUp();
      const { gatewayUrl, apiKey, databaseUrl, loopbackModel } = home.quickstart();
      expect((await ask(gatewayUrl, apiKey, loopbackModel, 'Hello')).status).toBe(200);
      const { stdout } = await promisify(execFile)(process.execPath, [KT, 'orgs', 'list', '--json'], { env: { PATH: process.env['PATH'], KILOTOKEN_HOME: home.folder, ...hostile } });
      expect((JSON.parse(stdout) as { slug: string }[]).map(({ slug }) => slug)).toContain('demo');

      // Nobody's session carries a setting that came from the shell.
      const pool = createPool({ connectionString: databaseUrl, max: 1, applicationName: 'test' });
      const { rows } = await pool.query("SELECT DISTINCT application_name FROM pg_stat_activity WHERE backend_type = 'client backend' ORDER BY 1");
      await pool.end();
      const names = rows.map((row) => (row as { application_name: string }).application_name);
      expect(names).toContain('gateway reads');
      expect(names.some((name) => name.endsWith('-queue'))).toBe(true);
      expect(names).not.toContain('psql');
    } finally {
      await home.clear();
    }
  }, TEST_MS_MAX);

  it('a gateway and a metering process that are started by themselves serve, settle and rate', async () => {
    const vendor = await startVendor();
    const cluster = await startCluster({ models: [{ model: 'mock', lanes: [{ baseUrl: vendor.baseUrl }] }], grants: ['10'], env: hostile });
    try {
      expect((await ask(cluster.gatewayUrls[0]!, cluster.apiKey, 'mock', instruct({ outputTokens: 5 }))).status).toBe(200);
      await until('the answer is billed', async () => (await cluster.sql('SELECT FROM usage')).length === 1);
      await cluster.expectSettled();
    } finally {
      await cluster.stop();
      await vendor.close();
    }
  }, TEST_MS_MAX);
});
