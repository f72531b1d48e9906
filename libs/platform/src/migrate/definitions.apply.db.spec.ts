import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { createEmptyDatabase } from '../../../../test/support/postgres.js';
import { until } from '../../../../test/support/until.js';
import { MIGRATIONS_FOLDER, migrateDatabase } from './migrate.js';

/** The runner, with definitions of its own. */

const lampIsLit = (body: string, rights = 'REVOKE ALL ON FUNCTION lamp_is_lit FROM PUBLIC;') =>
  `-- Whether a lamp is lit.\nCREATE OR REPLACE FUNCTION lamp_is_lit(p_lamp integer) RETURNS boolean LANGUAGE sql AS $$ ${body} $$;\n${rights}\n`;
const lampTrigger = `-- Trigger: none goes out.\nCREATE OR REPLACE FUNCTION lamp_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;\n
CREATE TRIGGER lamp_stays BEFORE DELETE ON lamp FOR EACH ROW EXECUTE FUNCTION lamp_stays();\n`;
const ROLE = 'kilotoken_test_lighter';

let database: { ownerUrl: string; drop(): Promise<void> };
let folder: string;
let client: pg.Client;

beforeEach(async () => {
  database = await createEmptyDatabase();
  folder = mkdtempSync(join(tmpdir(), 'kilotoken-definitions-'));
  client = new pg.Client({ connectionString: database.ownerUrl, application_name: 'holder' });
  await client.connect();
  write('migrations/20260101000000_lamp/migration.sql', 'CREATE TABLE lamp (id integer PRIMARY KEY, lit boolean); CREATE TABLE shade (id integer);');
  cpSync(join(MIGRATIONS_FOLDER, '20261128300000_definitions'), join(folder, 'migrations/20261128300000_definitions'), { recursive: true });
  write(`roles/${ROLE}.sql`, `GRANT SELECT ON lamp TO ${ROLE};`);
});
afterEach(async () => {
  await client.end();
  await database.drop();
  rmSync(folder, { recursive: true });
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

const migrate = (options = {}) => migrateDatabase(database.ownerUrl, { migrationsFolder: join(folder, 'migrations'), definitionsFolder: folder, ...options });
const one = async <Value>(sql: string): Promise<Value> => Object.values((await client.query<Record<string, Value>>(sql)).rows[0]!)[0]!;
const exists = (name: string): Promise<boolean> => one(`SELECT EXISTS (SELECT FROM pg_proc WHERE proname = '${name}')`);
const mayExecute = (): Promise<boolean> => one(`SELECT has_function_privilege('${ROLE}', 'lamp_is_lit(integer)', 'EXECUTE')`);
const mayRead = (table: string): Promise<boolean> => one(`SELECT has_table_privilege('${ROLE}', '${table}', 'SELECT')`);

describe('definitions', () => {
  it('are applied after the migrations, once, and again when their text changes', async () => {
    write('functions/light/lamp_is_lit.sql', lampIsLit('SELECT false'));
    expect((await migrate()).defined).toEqual([`roles/${ROLE}.sql`, 'functions/light/lamp_is_lit.sql']);
    expect((await migrate()).defined).toEqual([]);
    write('functions/light/lamp_is_lit.sql', lampIsLit('SELECT true'));
    expect((await migrate()).defined).toEqual(['functions/light/lamp_is_lit.sql']);
    expect(await one('SELECT lamp_is_lit(1)')).toBe(true);
  });

  it('take away the rights that a changed file does not grant', async () => {
    write('functions/light/lamp_is_lit.sql', lampIsLit('SELECT true', `GRANT EXECUTE ON FUNCTION lamp_is_lit TO ${ROLE};`));
    await migrate();
    expect([await mayExecute(), await mayRead('lamp'), await mayRead('shade')]).toEqual([true, true, false]);
    write('functions/light/lamp_is_lit.sql', lampIsLit('SELECT true'));
    write(`roles/${ROLE}.sql`, `GRANT SELECT ON shade TO ${ROLE};`);
    await migrate();
    expect([await mayExecute(), await mayRead('lamp'), await mayRead('shade')]).toEqual([false, false, true]);
  });

  it('may call what stands in a later file', async () => {
    write('functions/light/a.sql', '-- Calls the other.\nCREATE OR REPLACE FUNCTION a() RETURNS integer LANGUAGE sql AS $$ SELECT b() + 1 $$;\n');
    write('functions/light/b.sql', '-- One.\nCREATE OR REPLACE FUNCTION b() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$;\n');
    await migrate();
    expect(await one('SELECT a()')).toBe(2);
  });

  it('are all there or none: a file that is wrong leaves every other as it was, and is named', async () => {
    write('functions/light/lamp_is_lit.sql', lampIsLit('SELECT false'));
    write('functions/light/z.sql', '-- Broken.\nCREATE OR REPLACE FUNCTION z() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$;\n\nGRANT EXECUTE ON FUNCTION z TO nobody_there;\n');
    await expect(migrate()).rejects.toMatchObject({ code: 'migration_failed', message: expect.stringMatching(/functions\/light\/z\.sql.*nobody_there.*rolled back/s) });
    expect([await exists('lamp_is_lit'), await one('SELECT count(*)::int FROM applied_definition')]).toEqual([false, 0]);
    write('functions/light/z.sql', '-- Whole.\nCREATE OR REPLACE FUNCTION z() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$;\n');
    await migrate();
    expect(await exists('lamp_is_lit')).toBe(true);
  });

  it.each([
    ['another type of a parameter', lampIsLit('SELECT true').replace('p_lamp integer', 'p_lamp bigint')],
    ['one more parameter', lampIsLit('SELECT true').replace('p_lamp integer', 'p_lamp integer, p_shade integer')],
    ['another name of a parameter', lampIsLit('SELECT true').replace('p_lamp', 'p_light')],
    ['another type of its result', lampIsLit('SELECT 1').replace('boolean', 'integer')],
    ['another name of the function', lampIsLit('SELECT true').replaceAll('lamp_is_lit', 'lamp_is_on')],
  ])('refuse a changed signature and say how it is done: %s', async (_change, sql) => {
    write('functions/light/lamp_is_lit.sql', lampIsLit('SELECT false'));
    if (sql.includes('lamp_is_on')) write('functions/light/lamp_is_lit.sql', lampIsLit('SELECT false').replaceAll('lamp_is_lit', 'lamp_was_lit'));
    if (!sql.includes('lamp_is_on')) await migrate();
    write('functions/light/lamp_is_lit.sql', sql);
    await expect(migrate()).rejects.toMatchObject({ code: 'definition_changed', message: expect.stringContaining('a changed signature is a function with a new name') });
    if (!sql.includes('lamp_is_on')) expect(await one('SELECT lamp_is_lit(1)')).toBe(false);
  });

  it('drop a function whose file is gone, or that a migration made and no file defines, and no other', async () => {
    write('migrations/20260102000000_old/migration.sql', 'CREATE FUNCTION of_a_migration() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$;');
    write('functions/light/lamp_is_lit.sql', lampIsLit('SELECT false'));
    await client.query('CREATE FUNCTION of_somebody_else() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$');
    await migrate();
    rmSync(join(folder, 'functions/light/lamp_is_lit.sql'));
    expect((await migrate()).defined).toEqual(['lamp_is_lit dropped']);
    expect([await exists('lamp_is_lit'), await exists('of_a_migration'), await exists('of_somebody_else')]).toEqual([false, false, true]);
    expect((await migrate()).defined).toEqual([]);
  });

  it('keep a function whose file moves, as to those that only the release before calls', async () => {
    write('functions/light/lamp_is_lit.sql', lampIsLit('SELECT true'));
    await migrate();
    mkdirSync(join(folder, 'functions/previous'));
    renameSync(join(folder, 'functions/light/lamp_is_lit.sql'), join(folder, 'functions/previous/lamp_is_lit.sql'));
    await migrate();
    expect(await one('SELECT lamp_is_lit(1)')).toBe(true);
    expect(await one("SELECT string_agg(path, ',') FROM applied_definition WHERE path LIKE 'functions/%'")).toBe('functions/previous/lamp_is_lit.sql');
  });

  it('make triggers and policies that are missing, replace changed ones, and drop those that no file has', async () => {
    write('functions/light/lamp_stays.sql', lampTrigger);
    write('policies/light.sql', `CREATE POLICY lit ON lamp FOR SELECT TO ${ROLE} USING (lit);\n`);
    await migrate();
    expect(await one("SELECT relrowsecurity FROM pg_class WHERE relname = 'lamp'")).toBe(true);
    expect((await migrate()).defined).toEqual([]);
    write('functions/light/lamp_stays.sql', lampTrigger.replace('DELETE ON', 'UPDATE ON'));
    write('policies/light.sql', `CREATE POLICY dark ON lamp FOR SELECT TO ${ROLE} USING (NOT lit);\n`);
    await client.query('CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; CREATE TRIGGER own AFTER INSERT ON lamp FOR EACH ROW EXECUTE FUNCTION own()');
    await migrate();
    expect(await one('SELECT string_agg(tgname, \',\' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal')).toBe('lamp_stays,own');
    expect(await one("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'lamp_stays'")).toContain('BEFORE UPDATE');
    expect(await one("SELECT string_agg(policyname, ',') FROM pg_policies")).toBe('dark');
  });

  it('lock no table whose triggers and policies stay as they are', async () => {
    write('functions/light/lamp_stays.sql', lampTrigger);
    write('policies/light.sql', `CREATE POLICY lit ON lamp FOR SELECT TO ${ROLE} USING (lit);\n`);
    await migrate();
    await client.query('BEGIN; LOCK TABLE lamp IN ROW EXCLUSIVE MODE');
    write('functions/light/lamp_stays.sql', lampTrigger.replace('RETURN NULL', 'RETURN OLD'));
    expect((await migrate({ tableLockWaitMsMax: 200, tableLockAttemptsMax: 1 })).defined).toEqual(['functions/light/lamp_stays.sql']);
    await client.query('COMMIT');
  });

  it('give way to whoever holds a table, and get it when it is free', async () => {
    write('functions/light/lamp_stays.sql', lampTrigger);
    await migrate();
    write('functions/light/lamp_stays.sql', lampTrigger.replace('DELETE ON', 'UPDATE ON'));
    await client.query('BEGIN; LOCK TABLE lamp IN ROW EXCLUSIVE MODE');
    await expect(migrate({ tableLockWaitMsMax: 200, tableLockAttemptsMax: 2 })).rejects.toMatchObject({ code: 'migration_failed', message: expect.stringMatching(/could not get a table lock because these hold it: .*holder/) });
    let waits = 0;
    const migrating = migrate({ tableLockWaitMsMax: 400, tableLockAttemptsMax: 50, onWaiting: () => (waits += 1) });
    await until('it waits', () => waits > 0);
    await client.query('COMMIT');
    expect((await migrating).defined).toContain('functions/light/lamp_stays.sql');
  });

  it('are never put back by an older release', async () => {
    write('functions/light/lamp_is_lit.sql', lampIsLit('SELECT true'));
    await migrate();
    await client.query("UPDATE applied_definition SET release = '999.0.0'");
    write('functions/light/lamp_is_lit.sql', lampIsLit('SELECT false'));
    await expect(migrate()).rejects.toMatchObject({ code: 'database_newer' });
    expect(await one('SELECT lamp_is_lit(1)')).toBe(true);
  });

  it('are applied once when several processes migrate at the same time', async () => {
    write('functions/light/lamp_is_lit.sql', lampIsLit('SELECT true'));
    const results = await Promise.all([migrate(), migrate(), migrate()]);
    expect(results.flatMap(({ defined }) => defined).filter((path) => path.startsWith('functions/'))).toEqual(['functions/light/lamp_is_lit.sql']);
  });
});
