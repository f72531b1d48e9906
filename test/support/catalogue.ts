import type pg from 'pg';

/**
 * A database's functions, triggers, policies and rights, one line each: two databases with the same lines behave and
 * refuse alike.
 */
const LINES = `
  SELECT format('function %s owner %s%s %s %s%s %s set %s body %s for %s', p.oid::regprocedure, p.proowner::regrole, CASE WHEN p.prosecdef THEN ' definer' END,
    l.lanname, p.provolatile, p.proparallel, CASE WHEN p.proisstrict THEN 'strict' END, p.proconfig, md5(p.prosrc),
    (SELECT string_agg(a.grantee::regrole::text, ',' ORDER BY a.grantee::regrole::text) FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a))
    || ' takes ' || pg_get_function_arguments(p.oid) || ' returns ' || pg_get_function_result(p.oid) AS line
  FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace = 'public'::regnamespace
  UNION ALL SELECT format('trigger %s on %s enabled %s: %s', tgname, tgrelid::regclass, tgenabled, pg_get_triggerdef(t.oid)) FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT tgisinternal AND c.relnamespace = 'public'::regnamespace
  UNION ALL SELECT format('policy %s on %s %s %s for %s to %s using %s check %s', policyname, tablename, permissive, cmd, cmd, roles, qual, with_check) FROM pg_policies WHERE schemaname = 'public'
  UNION ALL SELECT format('table %s owner %s security %s forced %s rights %s', c.relname, c.relowner::regrole, c.relrowsecurity, c.relforcerowsecurity,
    (SELECT string_agg(a.grantee::regrole || ' ' || a.privilege_type, ',' ORDER BY a.grantee::regrole::text, a.privilege_type) FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a))
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
  UNION ALL SELECT format('column %s.%s rights %s', c.relname, t.attname, (SELECT string_agg(a.grantee::regrole || ' ' || a.privilege_type, ',' ORDER BY a.grantee::regrole::text, a.privilege_type) FROM aclexplode(t.attacl) a))
    FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid WHERE c.relnamespace = 'public'::regnamespace AND t.attacl IS NOT NULL
  UNION ALL SELECT format('schema %s rights %s', nspname, (SELECT string_agg(a.grantee::regrole || ' ' || a.privilege_type, ',' ORDER BY a.grantee::regrole::text, a.privilege_type) FROM aclexplode(nspacl) a))
    FROM pg_namespace WHERE nspname IN ('public', 'bullmq')
  ORDER BY 1`;

export const readCatalogue = async (client: pg.ClientBase): Promise<string[]> => (await client.query<{ line: string }>(LINES)).rows.map(({ line }) => line);
