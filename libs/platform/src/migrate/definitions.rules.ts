import type pg from 'pg';
import type { TableRule } from './definitions.files.js';

/**
 * Triggers and row-security policies. Making one locks its table, so only those that differ from the database's are made anew: each is
 * compared as Postgres itself writes it. Together the files are the whole truth: others are dropped, but for triggers that
 * call functions which are not ours.
 */

const EXISTING = `
  SELECT 'TRIGGER' AS kind, tgname::text AS name, c.relname::text AS "table", regexp_replace(pg_get_triggerdef(t.oid, true), '\\s+', ' ', 'g') || ';' AS statement
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
  WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal AND t.tgparentid = 0 AND p.pronamespace = 'public'::regnamespace AND p.proname = ANY ($1)
  UNION ALL
  SELECT 'POLICY', p.polname::text, c.relname::text,
    format('CREATE POLICY %I ON %I%s%s TO %s%s%s;', p.polname, c.relname,
      CASE WHEN NOT p.polpermissive THEN ' AS RESTRICTIVE' END,
      CASE p.polcmd WHEN 'r' THEN ' FOR SELECT' WHEN 'a' THEN ' FOR INSERT' WHEN 'w' THEN ' FOR UPDATE' WHEN 'd' THEN ' FOR DELETE' END,
      (SELECT string_agg(CASE WHEN r = 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ' ORDER BY r::regrole::text) FROM unnest(p.polroles) r),
      ' USING (' || regexp_replace(pg_get_expr(p.polqual, p.polrelid, true), '\\s+', ' ', 'g') || ')',
      ' WITH CHECK (' || regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid, true), '\\s+', ' ', 'g') || ')')
  FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = 'public'::regnamespace
  ORDER BY 1, 3, 2`;

/** The database's definitions, in the form of the files. */
export async function readRules(client: pg.ClientBase, functionNames: readonly string[]): Promise<TableRule[]> {
  return (await client.query<TableRule>(EXISTING, [functionNames])).rows;
}

/** The statements that make the database's triggers and policies those of the files; none where it has them. */
export async function planRules(client: pg.ClientBase, wanted: readonly TableRule[], functionNames: readonly string[]): Promise<string[]> {
  const existing = await readRules(client, functionNames);
  const wantedStatements = new Set(wanted.map(({ statement }) => statement));
  const existingStatements = new Set(existing.map(({ statement }) => statement));
  return [
    ...existing.filter(({ statement }) => !wantedStatements.has(statement)).map(({ kind, name, table }) => `DROP ${kind} ${name} ON ${table};`),
    ...wanted.filter(({ statement }) => !existingStatements.has(statement)).map(({ statement }) => statement),
    ...(await findUnsecured(client, wanted)).map((table) => `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;`),
  ];
}

/** Tables that have policies in the files and whose rows nothing guards yet. */
async function findUnsecured(client: pg.ClientBase, wanted: readonly TableRule[]): Promise<string[]> {
  const tables = new Set(wanted.filter(({ kind }) => kind === 'POLICY').map(({ table }) => table));
  const { rows } = await client.query<{ table: string }>(
    "SELECT relname::text AS \"table\" FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY ($1) AND NOT relrowsecurity ORDER BY 1",
    [[...tables]],
  );
  return rows.map(({ table }) => table);
}
