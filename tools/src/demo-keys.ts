import { randomBytes } from 'node:crypto';
import { mintApiKey, parseApiKey } from '@kilotoken/identity';
import { AppError } from '@kilotoken/platform';
import { z } from 'zod';
import { readIfThere, writeAtomically } from './atomic-write.js';

/**
 * The keys of the demo organizations, random per installation and the same after a restart. The database has only their
 * hashes, so a file beside it keeps them, readable by its owner alone.
 */
const key = z.string().refine((text) => parseApiKey(text).ok);
const demoKeysSchema = z.object({ apiKey: key, benchApiKey: key });

export type DemoKeys = z.infer<typeof demoKeysSchema>;

export const mintDemoKey = (): string => mintApiKey(randomBytes).key;

export const writeDemoKeys = (file: string, keys: DemoKeys): void => writeAtomically(file, `${JSON.stringify(keys, null, 2)}\n`);

/** The keys in the file, or new ones, which are written to it before they are returned. */
export const ensureDemoKeys = (file: string): DemoKeys => {
  const text = readIfThere(file);
  if (text !== null) return parseKeys(file, text);
  const keys = { apiKey: mintDemoKey(), benchApiKey: mintDemoKey() };
  writeDemoKeys(file, keys);
  return keys;
};

const parseKeys = (file: string, text: string): DemoKeys => {
  try {
    return demoKeysSchema.parse(JSON.parse(text));
  } catch {
    // Without the cause, which would quote the keys.
    throw new AppError({
      code: 'demo_keys_damaged',
      kind: 'invalid',
      publicMessage: `${file} is damaged. Restore it from a backup, or delete it to get new demo keys. Nothing was changed.`,
    });
  }
};
