import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { readIfThere, writeAtomically } from '../atomic-write.js';
import { LauncherError } from './launcher-error.js';

/** Random secrets, made once per installation; only the file's owner can read them. */
const secretsSchema = z.object({
  internalToken: z.string().min(32),
  databaseOwnerPassword: z.string().min(32),
  databaseAppPassword: z.string().min(32),
  /** Encrypts stored secrets and signs cookies; a list with commas while it is replaced. See KILOTOKEN_SECRET_KEY. */
  secretKey: z.string().min(32),
});
/** Installations before 0.4 have no key of their own yet. */
const olderSchema = secretsSchema.extend({ secretKey: z.string().min(32).optional() });

export type Secrets = z.infer<typeof secretsSchema>;

/** Makes new passwords only for a new folder: an existing database opens only with those it was made with. */
export function ensureSecrets(file: string, hasDatabase: boolean): Secrets {
  const text = readIfThere(file);
  if (text !== null) {
    const { secretKey, ...known } = parseSecrets(text, file);
    return secretKey === undefined ? writeSecrets(file, { ...known, secretKey: newSecret() }) : { ...known, secretKey };
  }
  if (hasDatabase) throw new LauncherError(`${file} is missing, and the database beside it opens only with the passwords in it. Restore it from a backup. Nothing was changed.`);
  return writeSecrets(file, { internalToken: newSecret(), databaseOwnerPassword: newSecret(), databaseAppPassword: newSecret(), secretKey: newSecret() });
}

function writeSecrets(file: string, secrets: Secrets): Secrets {
  writeAtomically(file, `${JSON.stringify(secrets, null, 2)}\n`);
  return secrets;
}

function parseSecrets(text: string, file: string): z.infer<typeof olderSchema> {
  try {
    return olderSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new LauncherError(`${file} is damaged: it must hold ${Object.keys(secretsSchema.shape).join(', ')}. Restore it from a backup. Nothing was changed.`, { cause });
  }
}

const newSecret = (): string => randomBytes(32).toString('hex');
