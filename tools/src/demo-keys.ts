import { randomBytes } from 'node:crypto';
import { mintApiKey, parseApiKey } from '@kilotoken/identity';
import { AppError } from '@kilotoken/platform';
import { z } from 'zod';
import { readIfThere, writeAtomically } from './atomic-write.js';

/**
 * The keys of the demo organizations, random per installation and the same after a restart. The database has their hashes
 * only, so they are kept beside it, readable by the owner alone.
 */
const key = z.string().refine((text) => parseApiKey(text).ok);
const demoKeysSchema = z.object({ apiKey: key, benchApiKey: key });

export type DemoKeys = z.infer<typeof demoKeysSchema>;

export const mintDemoKey = (): string => mintApiKey(randomBytes).key;

export const writeDemoKeys = (file: string, keys: DemoKeys): void => writeAtomically(file, `${JSON.stringify(keys, null, 2)}\n`);

/** The keys in the file, or new ones, which stand in it before anything is told of them. */
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
    // The cause is left out on purpose: it would quote the keys.
    throw new AppError({
      code: 'demo_keys_damaged',
      kind: 'invalid',
      publicMessage: `${file} is damaged. Put it back from a backup, or delete it to get new keys of the demo. Nothing was changed.`,
    });
  }
};
