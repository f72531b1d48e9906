import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { readIfThere, writeAtomically } from '../atomic-write.js';
import { LauncherError } from './launcher-error.js';

/** Made once an installation, random, readable by its owner alone. */
const secretsSchema = z.object({
  internalToken: z.string().min(32),
  databaseOwnerPassword: z.string().min(32),
  databaseAppPassword: z.string().min(32),
});

export type Secrets = z.infer<typeof secretsSchema>;

/** A folder that holds a database needs the passwords that it was made with: new ones are made for a new folder only. */
export function ensureSecrets(file: string, hasDatabase: boolean): Secrets {
  const text = readIfThere(file);
  if (text !== null) return parseSecrets(text, file);
  if (hasDatabase) throw new LauncherError(`${file} is missing, and the database beside it can only be opened with the passwords in it. Put it back from a backup. Nothing was changed.`);
  const secrets = { internalToken: newSecret(), databaseOwnerPassword: newSecret(), databaseAppPassword: newSecret() };
  writeAtomically(file, `${JSON.stringify(secrets, null, 2)}\n`);
  return secrets;
}

function parseSecrets(text: string, file: string): Secrets {
  try {
    return secretsSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new LauncherError(`${file} is damaged: it must hold ${Object.keys(secretsSchema.shape).join(', ')}. Put it back from a backup. Nothing was changed.`, { cause });
  }
}

const newSecret = (): string => randomBytes(32).toString('hex');
