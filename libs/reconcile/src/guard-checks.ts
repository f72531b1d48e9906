/**
 * The guards themselves: what keeps the database's rules when code does not. Keys, constraints, triggers, row-level security, rights and the
 * texts of functions are compared with the list that this version was released with (`prisma/guards.txt`, made by `npm run guards`). Pure.
 */
import type { Check } from './reconcile.js';

/** One rule: of which kind, of which object, which one, and how it reads. */
export interface Guard {
  readonly kind: string;
  readonly object: string;
  readonly name: string;
  readonly definition: string;
}

/** Roles that are groups: what they may is the same in every installation. */
export const groupRoles = ['kilotoken_api', 'kilotoken_app', 'kilotoken_auditor', 'kilotoken_backoffice', 'kilotoken_control', 'kilotoken_definer', 'kilotoken_gateway', 'kilotoken_metering', 'kilotoken_sign_in', 'kilotoken_staff'] as const;

/** Every partition is guarded like the others, whatever its name. */
export const anyPartition = 'usage_*';

const roleName = (oid: string): string => `CASE WHEN ${oid} = 0 THEN 'PUBLIC' WHEN pg_get_userbyid(${oid}) = m.owner THEN '<owner>' ELSE pg_get_userbyid(${oid})::text END`;
const rights = (acl: string): string => `(SELECT string_agg(x.line, '; ' ORDER BY x.line) FROM (
    SELECT concat(${roleName('a.grantee')}, ': ', string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN ' with grant' ELSE '' END, ', ' ORDER BY a.privilege_type)) AS line
    FROM aclexplode(${acl}) a WHERE pg_get_userbyid(a.grantee) <> m.owner OR a.grantee = 0
    GROUP BY a.grantee
    -- An operator's own role may read: that is the operator's to decide.
    HAVING a.grantee = 0 OR pg_get_userbyid(a.grantee) LIKE 'kilotoken\\_%' OR bool_or(a.privilege_type <> 'SELECT' OR a.is_grantable)) x)`;

/** The guards of this database: `guard (kind, object, name, definition)`, a row each. Partitions stand under their own names. */
export const guardsSql = `
  SELECT g.kind, g.object, g.name, coalesce(regexp_replace(nullif(g.definition, ''), '\\s+', ' ', 'g'), 'none') AS definition
  FROM (SELECT pg_get_userbyid(c.relowner) AS owner FROM pg_class c WHERE c.oid = 'public.organization'::regclass) m
  CROSS JOIN LATERAL (
    WITH partition AS (SELECT i.inhrelid AS oid, c.relname::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'public.usage'::regclass AND c.relname <> 'usage_default'),
    relation AS (SELECT c.oid, c.relname::text AS name, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity, p.oid IS NOT NULL AS is_partition FROM pg_class c LEFT JOIN partition p ON p.oid = c.oid
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v'))
    SELECT 'table' AS kind, r.name AS object, 'owner'::text AS name, ${roleName('r.relowner')} AS definition FROM relation r
    UNION ALL SELECT 'table', r.name, 'row security', CASE WHEN r.relrowsecurity THEN 'enabled' ELSE 'disabled' END || CASE WHEN r.relforcerowsecurity THEN ', forced' ELSE '' END FROM relation r
    UNION ALL SELECT 'rights', r.name, 'table', ${rights('r.relacl')} FROM relation r
    UNION ALL SELECT 'rights', r.name, a.attname, ${rights('a.attacl')} FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL SELECT 'column', r.name, a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END, 'default ' || pg_get_expr(d.adbin, d.adrelid))
      FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    UNION ALL SELECT 'constraint', r.name, CASE WHEN r.is_partition THEN pg_get_constraintdef(k.oid) ELSE k.conname::text END,
        pg_get_constraintdef(k.oid) || CASE WHEN k.convalidated THEN '' ELSE ', not validated' END || CASE WHEN k.conenforced THEN '' ELSE ', not enforced' END
      FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype IN ('p', 'u', 'f', 'c', 'x')
    -- Keys of a partitioned table point at each partition too.
      WHERE k.conparentid = 0 OR r.is_partition
    UNION ALL SELECT 'key', r.name, CASE WHEN r.is_partition THEN 'primary' ELSE i.indexrelid::regclass::text END,
        CASE WHEN r.is_partition THEN '' ELSE pg_get_indexdef(i.indexrelid) || ', ' END || CASE WHEN i.indisvalid AND i.indisready THEN 'valid' ELSE 'not valid' END
      FROM relation r JOIN pg_index i ON i.indrelid = r.oid AND i.indisunique
    UNION ALL SELECT 'policy', r.name, p.polname, concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, p.polcmd::text, 'to', (SELECT string_agg(x.role, ', ' ORDER BY x.role) FROM (SELECT ${roleName('o')} AS role FROM unnest(p.polroles) o) x),
        'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)) FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
    UNION ALL SELECT 'trigger', r.name, t.tgname, pg_get_triggerdef(t.oid) || CASE t.tgenabled WHEN 'O' THEN '' WHEN 'D' THEN ', disabled' ELSE ', enabled ' || t.tgenabled::text END
      FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
    -- The triggers that enforce foreign keys have no names of their own.
    UNION ALL SELECT 'trigger', r.name, 'of foreign keys', CASE WHEN bool_and(t.tgenabled = 'O') THEN 'enabled' ELSE 'disabled' END FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid AND t.tgisinternal GROUP BY r.name
    UNION ALL SELECT 'function', f.oid::regprocedure::text, 'text', left(encode(sha256(convert_to(replace(pg_get_functiondef(f.oid), E'\\r', ''), 'UTF8')), 'hex'), 32)
      FROM pg_proc f WHERE f.pronamespace = 'public'::regnamespace AND f.prokind IN ('f', 'p') AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = f.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e')
    UNION ALL SELECT 'function', f.oid::regprocedure::text, 'owner', ${roleName('f.proowner')} FROM pg_proc f WHERE f.pronamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = f.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e')
    UNION ALL SELECT 'rights', f.oid::regprocedure::text, 'function', ${rights("coalesce(f.proacl, acldefault('f', f.proowner))")}
      FROM pg_proc f WHERE f.pronamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = f.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e')
    UNION ALL SELECT 'rights', 'public', 'schema', ${rights('n.nspacl')} FROM pg_namespace n WHERE n.nspname = 'public'
    UNION ALL SELECT 'role', o.rolname, 'attributes', concat_ws(', ', CASE WHEN o.rolsuper THEN 'superuser' END, CASE WHEN o.rolbypassrls THEN 'bypasses row security' END, CASE WHEN o.rolcanlogin THEN 'may log in' END,
        CASE WHEN o.rolcreaterole THEN 'makes roles' END, CASE WHEN o.rolcreatedb THEN 'makes databases' END, CASE WHEN o.rolreplication THEN 'replicates' END)
      FROM pg_roles o WHERE o.rolname IN (${groupRoles.map((role) => `'${role}'`).join(', ')})
    UNION ALL SELECT 'role', o.rolname, 'member of', (SELECT string_agg(g.rolname, ', ' ORDER BY g.rolname) FROM pg_auth_members x JOIN pg_roles g ON g.oid = x.roleid WHERE x.member = o.oid)
      FROM pg_roles o WHERE o.rolname IN (${groupRoles.map((role) => `'${role}'`).join(', ')})
    UNION ALL SELECT 'role', 'kilotoken_definer', 'members', (SELECT string_agg(DISTINCT u.rolname, ', ') FROM pg_auth_members x JOIN pg_roles u ON u.oid = x.member
      WHERE x.roleid = 'kilotoken_definer'::regrole AND u.rolname <> m.owner AND NOT u.rolsuper AND NOT EXISTS (SELECT FROM pg_database d WHERE d.datdba = u.oid))
    UNION ALL SELECT 'session', 'database', 'defaults', (SELECT string_agg(s.setting, ', ' ORDER BY s.setting) FROM pg_db_role_setting r CROSS JOIN unnest(r.setconfig) AS s (setting)
      WHERE r.setdatabase = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) AND s.setting ~ '^(session_replication_role|row_security|synchronous_commit)=')
  ) g`;

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const compared = (list: string): string => `
    WITH listed AS MATERIALIZED (SELECT x.kind, x.object, x.name, x.definition FROM jsonb_to_recordset(${list}::jsonb) AS x (kind text, object text, name text, definition text)),
    partition AS (SELECT c.relname::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'public.usage'::regclass AND c.relname <> 'usage_default'),
    due AS (
      SELECT * FROM listed WHERE object <> '${anyPartition}'
      UNION ALL SELECT l.kind, p.name, l.name, l.definition FROM listed l CROSS JOIN partition p WHERE l.object = '${anyPartition}'),
    present AS MATERIALIZED (${guardsSql})
    SELECT NULL::uuid AS organization_id, jsonb_build_object(kind, object, 'guard', name) AS place, coalesce(d.definition, 'none') AS expected, coalesce(p.definition, 'none') AS found,
      d.definition IS DISTINCT FROM p.definition AS is_wrong
    FROM due d FULL JOIN present p USING (kind, object, name)
    WHERE d.definition IS NOT NULL OR kind IN ('function', 'role', 'session') OR object = 'public' OR object IN (SELECT x.object FROM due x)
      OR (kind = 'rights' AND p.definition <> 'none' AND object LIKE '%(%')`;

/** Compares the database with the list. A table that is not in it is the operator's own, and left alone. */
export const guardCheck = (guards: readonly Guard[]): Check => {
  const sql = compared(quoted(JSON.stringify(guards)));
  return {
  name: 'guards', invariant: 'I8',
  says: 'keys, constraints, triggers, row security, rights and functions are those of this release',
  subjects: 'guards',
  expected: 'by prisma/guards.txt',
  found: 'in this database',
  advice: 'Until it is restored only code keeps this rule. Start this version once, which applies functions, policies and rights again; restore the rest from prisma/migrations. Then prove the books again.',
  wholeDatabaseOnly: true,
  sql: () => sql,
  };
};
