import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { readIfThere, writeAtomically } from '../atomic-write.js';
import { LauncherError } from './launcher-error.js';

/** Random secrets, made once per installation; only the file's owner can read them. */
const secretsSchema = z.object({
  internalToken: z.string().min(32),
  databaseOwnerPassword: z.string().min(32),
  databaseAppPassword: z.string().min(32),
});

export type Secrets = z.infer<typeof secretsSchema>;

/** Makes new passwords only for a new folder: an existing database opens only with those it was made with. */
export function ensureSecrets(file: string, hasDatabase: boolean): Secrets {
  const text = readIfThere(file);
  if (text !== null) return parseSecrets(text, file);
  if (hasDatabase) throw new LauncherError(`${file} is missing, and the database beside it opens only with the passwords in it. Restore it from a backup. Nothing was changed.`);
  const secrets = { internalToken: newSecret(), databaseOwnerPassword: newSecret(), databaseAppPassword: newSecret() };
  writeAtomically(file, `${JSON.stringify(secrets, null, 2)}\n`);
  return secrets;
}

function parseSecrets(text: string, file: string): Secrets {
  try {
    return secretsSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new LauncherError(`${file} is damaged: it must hold ${Object.keys(secretsSchema.shape).join(', ')}. Restore it from a backup. Nothing was changed.`, { cause });
  }
}

const newSecret = (): string => randomBytes(32).toString('hex');
