import { renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { actorSession, createPool, type Actor } from '@kilotoken/platform';
import { hasEmbeddedDatabase } from '../launcher/database.js';
import type { Home } from '../launcher/home.js';
import { LauncherError } from '../launcher/launcher-error.js';

/** Where a history may be loaded: an empty database that is marked as a demo, before any process uses it. */
const actor: Actor = { kind: 'system', id: 'demo', name: null };

interface Place {
  readonly kind: string;
  readonly shifted: boolean;
  readonly found: string | null;
}

/** The tables that a first start, or anybody's first command, writes to. */
const emptyTables = ['model', 'project', 'api_key', 'credit_grant', 'usage', 'ledger_transaction'] as const;

/** Throws a LauncherError that says how to go on. An embedded database without a word in it becomes a demo; somebody else's keeps its mark. */
export const takePlace = async (ownerUrl: string, isEmbedded: boolean): Promise<void> => {
  const owner = createPool({ connectionString: ownerUrl, max: 1, applicationName: 'demo', sessionOptions: actorSession(actor) });
  try {
    const { kind, shifted, found } = await readPlace((sql) => owner.query<Place>(sql));
    if (found !== null) throw notEmpty(found, isEmbedded);
    if (shifted) throw new LauncherError("The clock of this database is shifted. Set it back first: UPDATE database_mark SET clock_shift = '0'. Nothing was changed.");
    if (kind === 'production' && isEmbedded) await owner.query("UPDATE database_mark SET kind = 'demo' WHERE kind = 'production'");
    else if (kind === 'production') {
      throw new LauncherError(
        'The database of DATABASE_URL is marked as production, whose clock nobody can shift. If it is for a demo, say so as its owner: ' +
          "UPDATE database_mark SET kind = 'demo'. Or unset DATABASE_URL to use the embedded Postgres. Nothing was changed.",
      );
    }
  } finally {
    await owner.end();
  }
};

/** Whether nobody has written anything to a database yet. */
export const isEmptyDatabase = async (ownerUrl: string): Promise<boolean> => {
  const owner = createPool({ connectionString: ownerUrl, max: 1, applicationName: 'demo' });
  try {
    return (await readPlace((sql) => owner.query<Place>(sql))).found === null;
  } finally {
    await owner.end();
  }
};

const readPlace = async (query: (sql: string) => Promise<{ rows: Place[] }>): Promise<Place> => {
  const found = emptyTables.map((table) => `WHEN EXISTS (SELECT FROM ${table}) THEN '${table}'`).join(' ');
  const { rows } = await query(`SELECT kind, clock_shift <> '0' AS shifted, CASE ${found} END AS found FROM database_mark`);
  return rows[0]!;
};

const notEmpty = (table: string, isEmbedded: boolean): LauncherError =>
  new LauncherError(
    `The database is not empty: there are rows of ${table}, as npm start or an earlier load made them. A history begins before everything else. ` +
      (isEmbedded
        ? 'To set that database aside, with all that is in it, and load into a new one: npm run demo -- --fresh. To keep using it, load the demo beside it: KILOTOKEN_HOME=<folder> npm run demo. '
        : 'Name an empty database in DATABASE_URL. ') +
      'Nothing was changed.',
  );

/** Moves the embedded database out of the way, to a folder beside it; answers where it is, or null where there was none. */
export const setAside = (home: Home, now: Date): string | null => {
  if (!hasEmbeddedDatabase(home)) return null;
  const folder = dirname(home.databaseFolder);
  const aside = `${folder}-before-${now.toISOString().slice(0, 19).replace(/[^0-9]/g, '')}`;
  renameSync(folder, aside);
  return aside;
};
